"""Refusals: whether a 429 is one request's bad luck or the model's limit."""

from __future__ import annotations

#: how much the latest call weighs, and the share of refused calls above which the model must rest
WEIGHT = 0.05
LIMIT = 0.25


class Refusals:
    """The share of recent calls to each model, as this process sees them, that were refused for their rate.

    A refusal among many answers holds back its own request; resting for it would stop hundreds of calls that
    the provider takes. Six in a row, or a first call that is refused, say that nothing gets through.
    """

    def __init__(self) -> None:
        self._shares: dict[str, float] = {}

    def note(self, model: str, *, refused: bool) -> bool:
        """Count a call that ended; returns whether the model should rest."""
        share = self._shares.get(model, LIMIT)
        self._shares[model] = share = share + WEIGHT * (refused - share)
        return share > LIMIT
