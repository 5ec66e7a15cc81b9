"""Off-policy estimates: what another router would have reached on logged requests, by their propensities.

Inverse propensity (Horvitz and Thompson 1952), its self-normalised form, and the doubly robust estimate
(Dudík, Langford and Li 2011), which corrects a model of the scores by what was seen.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

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
class OffPolicyEstimate:
    """The estimates for one policy; `effective` is the number of requests that the weights amount to."""

    requests: int
    matched: int
    effective_sample_size: float
    inverse_propensity: Estimate
    self_normalised: Estimate
    doubly_robust: Estimate

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON, in which the effective sample size is called `effective`."""
        values = asdict(self)
        return {"effective" if name == "effective_sample_size" else name: values[name] for name in values}


@dataclass(frozen=True, slots=True)
class OffPolicyComparison:
    """Two policies on the same logged requests, and what the challenger gains, request by request."""

    champion: OffPolicyEstimate
    challenger: OffPolicyEstimate
    gain_inverse_propensity: Estimate
    gain_doubly_robust: Estimate

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        policies = {"champion": self.champion.to_dict(), "challenger": self.challenger.to_dict()}
        return {**asdict(self), **policies}


@dataclass(frozen=True, slots=True)
class LoggedData:
    """Logged choices [n] (columns of m models), their rewards and propensities [n], predicted rewards [n, m].

    A propensity is the chance that the logged choice had; `predicted` comes from a model of the rewards that
    was fitted on other requests.
    """

    logged: NDArray[np.int64]
    rewards: Floats
    propensities: Floats
    predicted: Floats

    def __post_init__(self) -> None:
        """Raise LabelsError where a propensity is missing or not in (0, 1], or where there is nothing."""
        if not len(self.logged):
            raise LabelsError("no logged request has a reward: there is nothing to estimate from")
        chances = self.propensities
        if not (np.isfinite(chances).all() and (chances > 0).all() and (chances <= 1).all()):
            raise LabelsError(
                "a logged choice has no propensity: submit with --explore to have them written down"
            )


def estimate(log: LoggedData, chosen: NDArray[np.int64]) -> OffPolicyEstimate:
    """Estimate the mean reward of the choices `chosen` [n].

    Raises LabelsError where every logged choice was certain: then nothing can be said of others.
    """
    if (log.propensities == 1).all() and (log.logged != chosen).any():
        raise LabelsError("every logged choice was certain: without exploration nothing is known of others")
    weights = _weights(log, chosen)
    return OffPolicyEstimate(
        requests=len(chosen),
        matched=int((log.logged == chosen).sum()),
        effective_sample_size=float(weights.sum() ** 2 / (weights**2).sum()) if weights.any() else 0.0,
        inverse_propensity=_mean(weights * log.rewards),
        self_normalised=_ratio(weights, log.rewards),
        doubly_robust=_mean(_robust(log, chosen)),
    )


def compare_policies(
    log: LoggedData, champion: NDArray[np.int64], challenger: NDArray[np.int64]
) -> OffPolicyComparison:
    """Compare the choices [n] of two policies; raises as `estimate` does."""
    weights = _weights(log, challenger) - _weights(log, champion)
    return OffPolicyComparison(
        champion=estimate(log, champion),
        challenger=estimate(log, challenger),
        gain_inverse_propensity=_mean(weights * log.rewards),
        gain_doubly_robust=_mean(_robust(log, challenger) - _robust(log, champion)),
    )


def _weights(log: LoggedData, chosen: NDArray[np.int64]) -> Floats:
    return np.asarray((log.logged == chosen) / log.propensities)


def _robust(log: LoggedData, chosen: NDArray[np.int64]) -> Floats:
    """Return the predicted rewards [n] of the choices, corrected where one is the logged choice."""
    rows = np.arange(len(chosen))
    surprise = log.rewards - log.predicted[rows, log.logged]
    return np.asarray(log.predicted[rows, chosen] + _weights(log, chosen) * surprise)


def _mean(values: Floats) -> Estimate:
    error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
    return Estimate(float(values.mean()), float(error))


def _ratio(weights: Floats, rewards: Floats) -> Estimate:
    """Return the weighted mean, with the error of a ratio by the delta method."""
    total = weights.sum()
    if total == 0:
        return Estimate(float("nan"), float("nan"))
    value = float((weights * rewards).sum() / total)
    error = float(np.sqrt((weights**2 * (rewards - value) ** 2).sum()) / total)
    return Estimate(value, error)
