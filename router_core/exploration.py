"""Exploration: now and then a model is drawn at random, and the chance of every choice is written down.

With probability epsilon the model is drawn evenly from the candidates, else it is the router's choice. So
a choice had the chance `epsilon / m`, plus `1 - epsilon` if it is the router's own: what off-policy estimates
need (Horvitz and Thompson 1952; Dudík et al. 2011).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Explored:
    """What became of one choice; `ranking` begins with the chosen model.

    drawn: whether the model was drawn, which may by chance draw the router's own.
    """

    ranking: tuple[str, ...]
    propensity: float
    drawn: bool


def explore(ranking: Sequence[str], *, epsilon: float, key: str) -> Explored:
    """Explore on one request; `key` names it: the same key draws alike again, so that repeats change nothing.

    Raises ValueError for an epsilon that is no probability.
    """
    if not 0 <= epsilon <= 1:
        raise ValueError("epsilon must be between 0 and 1")
    chance, draw = _uniform(key, "chance"), _uniform(key, "draw")
    drawn = chance < epsilon
    model = ranking[int(draw * len(ranking))] if drawn else ranking[0]
    propensity = epsilon / len(ranking) + (1 - epsilon if model == ranking[0] else 0.0)
    return Explored((model, *(other for other in ranking if other != model)), propensity, drawn)


def _uniform(key: str, salt: str) -> float:
    """A number in [0, 1) that depends on the key alone."""
    digest = hashlib.blake2b(f"{salt}\0{key}".encode(), digest_size=8).digest()
    return (int.from_bytes(digest) >> 11) / 2**53
