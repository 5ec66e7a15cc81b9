"""Off-policy estimates: what another router would have reached on logged requests, by their propensities.

Inverse propensity (Horvitz and Thompson 1952), its self-normalised form, and the doubly robust estimate
(Dudík, Langford and Li 2011), which corrects a model of the scores by what was seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router_core.errors import LabelsError

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean reward with its standard error."""

    value: float
    standard_error: float


@dataclass(frozen=True, slots=True)
class OffPolicy:
    """The estimates for one policy; `effective` is the number of requests that the weights amount to."""

    requests: int
    matched: int
    effective: float
    inverse_propensity: Estimate
    self_normalised: Estimate
    doubly_robust: Estimate


def estimate(
    logged: NDArray[np.int64],
    chosen: NDArray[np.int64],
    rewards: Floats,
    propensities: Floats,
    predicted: Floats,
) -> OffPolicy:
    """Estimate the mean reward of the choices `chosen` [n] from what the choices `logged` [n] were rewarded.

    rewards: [n] of the logged choices. propensities: [n], the chance that the logged choice had. predicted:
    [n, m] rewards by a model of them, fitted on other requests. Raises LabelsError where a propensity is
    missing or not in (0, 1], or where every logged choice was certain: then nothing can be said of others.
    """
    if not len(logged):
        raise LabelsError("no logged request has a reward: there is nothing to estimate from")
    if not (np.isfinite(propensities).all() and (propensities > 0).all() and (propensities <= 1).all()):
        raise LabelsError(
            "a logged choice has no propensity: submit with --explore to have them written down"
        )
    if (propensities == 1).all() and (logged != chosen).any():
        raise LabelsError("every logged choice was certain: without exploration nothing is known of others")
    rows = np.arange(len(logged))
    weights = (logged == chosen) / propensities
    expected = predicted[rows, chosen]
    robust = expected + weights * (rewards - predicted[rows, logged])
    return OffPolicy(
        requests=len(logged),
        matched=int((logged == chosen).sum()),
        effective=float(weights.sum() ** 2 / (weights**2).sum()) if weights.any() else 0.0,
        inverse_propensity=_mean(weights * rewards),
        self_normalised=_ratio(weights, rewards),
        doubly_robust=_mean(robust),
    )


def _mean(values: Floats) -> Estimate:
    error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
    return Estimate(float(values.mean()), float(error))


def _ratio(weights: Floats, rewards: Floats) -> Estimate:
    """The weighted mean, with the error of a ratio by the delta method."""
    total = weights.sum()
    if total == 0:
        return Estimate(float("nan"), float("nan"))
    value = float((weights * rewards).sum() / total)
    error = float(np.sqrt((weights**2 * (rewards - value) ** 2).sum()) / total)
    return Estimate(value, error)
