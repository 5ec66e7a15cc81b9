"""How often each model has refused calls for their rate of late, and whether it should be paused for that."""

from __future__ import annotations

#: The weight of the latest call, and the share of refused calls above which the model is paused.
WEIGHT = 0.05
LIMIT = 0.25


class ThrottleMonitor:
    """An exponentially weighted share of each model's recent calls that were refused for their rate.

    One refusal among many answers holds back its own request only: a pause for it would stop hundreds of
    calls that the provider takes. Six in a row, or a first call that is refused, show that nothing gets
    through.
    """

    def __init__(self) -> None:
        self._shares: dict[str, float] = {}

    def note(self, model: str, *, refused: bool) -> bool:
        """Count a call that ended; returns whether the model should be paused."""
        share = self._shares.get(model, LIMIT)
        self._shares[model] = share = share + WEIGHT * (refused - share)
        return share > LIMIT
