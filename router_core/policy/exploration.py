"""Epsilon-greedy exploration: some choices are random, and the propensity of every choice is recorded.

With probability epsilon the model is drawn at random, else it is the router's choice. Half of the draws are
uniform, half are in inverse proportion to the models' numbers of labels, so that new models are drawn most
often and every model is drawn sometimes. The propensity of a model, the probability of choosing it, is then
`epsilon` times its probability in a draw, plus `1 - epsilon` if it is the router's choice. Off-policy
estimates need it (Horvitz and Thompson 1952; Dudík et al. 2011).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

#: Added to the number of labels of every model, so that its first few labels change its probability little.
_PSEUDO_LABELS = 20


@dataclass(frozen=True, slots=True)
class Explored:
    """One choice after exploration.

    Attributes:
        ranking: All models in the order to try them; the first is the chosen one.
        propensity: The probability with which it was chosen.
        drawn: Whether it was drawn at random; a draw may also give the router's choice.
    """

    ranking: tuple[str, ...]
    propensity: float
    drawn: bool


def explore(
    ranking: Sequence[str], *, epsilon: float, key: str, labels: Mapping[str, int] | None = None
) -> Explored:
    """Return the choice of a model for one request.

    Args:
        ranking: The router's ranking of the models, best first.
        epsilon: The probability of a random draw.
        key: The identity of the request; equal keys give equal draws, so that a retry changes nothing.
        labels: The number of labels by model, 0 for one that is missing; without any, draws are uniform.

    Raises:
        ValueError: Epsilon is not between 0 and 1.
    """
    if not 0 <= epsilon <= 1:
        raise ValueError("epsilon must be between 0 and 1")
    probabilities = draw_probabilities(ranking, labels or {})
    drawn = _uniform(key, "chance") < epsilon
    model = _at(_uniform(key, "draw"), probabilities) if drawn else ranking[0]
    propensity = epsilon * probabilities[model] + (1 - epsilon if model == ranking[0] else 0.0)
    return Explored((model, *(other for other in ranking if other != model)), propensity, drawn)


def draw_probabilities(models: Sequence[str], labels: Mapping[str, int]) -> dict[str, float]:
    """Return the probability of each model in a random draw; it is at least half of the uniform one."""
    inverse = {model: 1 / (labels.get(model, 0) + _PSEUDO_LABELS) for model in models}
    total = sum(inverse.values())
    return {model: 0.5 / len(models) + 0.5 * value / total for model, value in inverse.items()}


def _at(draw: float, probabilities: Mapping[str, float]) -> str:
    """Return the model for a number in [0, 1), which the probabilities divide into a part for each model."""
    *others, last = probabilities
    for model in others:
        draw -= probabilities[model]
        if draw < 0:
            return model
    return last


def _uniform(key: str, salt: str) -> float:
    """Return a number in [0, 1) that is a hash of key and salt."""
    digest = hashlib.blake2b(f"{salt}\0{key}".encode(), digest_size=8).digest()
    return (int.from_bytes(digest) >> 11) / 2**53
