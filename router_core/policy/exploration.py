"""Exploration: now and then a model is drawn at random, and the chance of every choice is written down.

With probability epsilon the model is drawn from the candidates, else it is the router's choice. Half of the
draws are even, half go to models in inverse proportion to their labels: one that is new is drawn first, and
none is forgotten. So a choice had the chance `epsilon` times its share of the draws, plus `1 - epsilon` if it
is the router's own: what off-policy estimates need (Horvitz and Thompson 1952; Dudík et al. 2011).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

#: a model counts as if it had so many labels more: a few labels do not end its head start at once
_LABELS = 20


@dataclass(frozen=True, slots=True)
class Explored:
    """What became of one choice; `ranking` begins with the chosen model.

    drawn: whether the model was drawn, which may by chance draw the router's own.
    """

    ranking: tuple[str, ...]
    propensity: float
    drawn: bool


def explore(
    ranking: Sequence[str], *, epsilon: float, key: str, labels: Mapping[str, int] | None = None
) -> Explored:
    """Explore on one request; `key` names it: the same key draws alike again, so that repeats change nothing.

    labels: how many each model has; one that is missing has none. Without any, all draws are even. Raises
    ValueError for an epsilon that is no probability.
    """
    if not 0 <= epsilon <= 1:
        raise ValueError("epsilon must be between 0 and 1")
    shares = draw_probabilities(ranking, labels or {})
    chance, draw = _uniform(key, "chance"), _uniform(key, "draw")
    drawn = chance < epsilon
    model = _at(draw, shares) if drawn else ranking[0]
    propensity = epsilon * shares[model] + (1 - epsilon if model == ranking[0] else 0.0)
    return Explored((model, *(other for other in ranking if other != model)), propensity, drawn)


def draw_probabilities(models: Sequence[str], labels: Mapping[str, int]) -> dict[str, float]:
    """Return the share of the draws that each model gets; they sum to 1, and each is at least half an even share."""
    needs = {model: 1 / (labels.get(model, 0) + _LABELS) for model in models}
    total = sum(needs.values())
    return {model: 0.5 / len(models) + 0.5 * need / total for model, need in needs.items()}


def _at(draw: float, shares: Mapping[str, float]) -> str:
    """Return the model whose part of [0, 1) the draw falls in."""
    *others, last = shares
    for model in others:
        draw -= shares[model]
        if draw < 0:
            return model
    return last


def _uniform(key: str, salt: str) -> float:
    """Return a number in [0, 1) that depends on the key alone."""
    digest = hashlib.blake2b(f"{salt}\0{key}".encode(), digest_size=8).digest()
    return (int.from_bytes(digest) >> 11) / 2**53
