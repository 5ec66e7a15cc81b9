"""Off-policy evaluation: the mean reward another policy would have reached on logged requests.

Three estimators from logged choices and their propensities: inverse propensity scoring (Horvitz and Thompson
1952), its self-normalised form, and the doubly robust estimator (Dudík, Langford and Li 2011), which corrects
the predictions of a reward model by the observed rewards.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from router_core.errors import LabelsError

Floats = NDArray[np.float64]
Choices = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """An estimated mean reward and its standard error."""

    value: float
    standard_error: float


@dataclass(frozen=True, slots=True)
class OffPolicyEstimate:
    """The estimates of one policy's mean reward.

    Attributes:
        requests: The number of logged requests.
        matched: The number of requests for which the policy makes the logged choice.
        effective_sample_size: (Σw)² / Σw² of the importance weights w (Kish).
        inverse_propensity: The inverse propensity estimate.
        self_normalised: The self-normalised inverse propensity estimate.
        doubly_robust: The doubly robust estimate.
    """

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
    """The estimates of two policies on the same logged requests, and the challenger's paired gains."""

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
    """Logged choices among m models with their rewards and propensities.

    Attributes:
        logged: The column of the logged choice [n].
        rewards: The observed reward of the logged choice [n].
        propensities: The probability with which the logged choice was made [n].
        predicted: The rewards that a model fitted on other requests predicts [n, m].

    Raises:
        LabelsError: There is no request, or a propensity is missing or not in (0, 1].
    """

    logged: Choices
    rewards: Floats
    propensities: Floats
    predicted: Floats

    def __post_init__(self) -> None:
        """Check the values."""
        if not len(self.logged):
            raise LabelsError("no logged request has a reward: there is nothing to estimate from")
        valid = np.isfinite(self.propensities) & (self.propensities > 0) & (self.propensities <= 1)
        if not valid.all():
            raise LabelsError(
                "a logged choice has no propensity: submit with --explore to have them written down"
            )


def estimate(log: LoggedData, chosen: Choices) -> OffPolicyEstimate:
    """Estimate the mean reward of a policy.

    Args:
        log: The logged requests.
        chosen: The policy's choices [n] for them.

    Raises:
        LabelsError: Every logged choice was made with probability 1 and the policy makes other ones, on
            which the log has no information.
    """
    if (log.propensities == 1).all() and (log.logged != chosen).any():
        raise LabelsError("every logged choice was certain: without exploration nothing is known of others")
    weights = _importance_weights(log, chosen)
    return OffPolicyEstimate(
        requests=len(chosen),
        matched=int((log.logged == chosen).sum()),
        effective_sample_size=float(weights.sum() ** 2 / (weights**2).sum()) if weights.any() else 0.0,
        inverse_propensity=_mean(weights * log.rewards),
        self_normalised=_weighted_mean(weights, log.rewards),
        doubly_robust=_mean(_doubly_robust(log, chosen)),
    )


def compare_policies(log: LoggedData, champion: Choices, challenger: Choices) -> OffPolicyComparison:
    """Compare the choices [n] of two policies, paired by request; raises as `estimate` does."""
    weights = _importance_weights(log, challenger) - _importance_weights(log, champion)
    return OffPolicyComparison(
        champion=estimate(log, champion),
        challenger=estimate(log, challenger),
        gain_inverse_propensity=_mean(weights * log.rewards),
        gain_doubly_robust=_mean(_doubly_robust(log, challenger) - _doubly_robust(log, champion)),
    )


def _importance_weights(log: LoggedData, chosen: Choices) -> Floats:
    """Return 1 / propensity where the policy makes the logged choice, else 0, [n]."""
    return np.asarray((log.logged == chosen) / log.propensities)


def _doubly_robust(log: LoggedData, chosen: Choices) -> Floats:
    """Return the predicted rewards of the policy's choices plus the weighted residuals of the log, [n]."""
    rows = np.arange(len(chosen))
    residuals = log.rewards - log.predicted[rows, log.logged]
    return np.asarray(log.predicted[rows, chosen] + _importance_weights(log, chosen) * residuals)


def _mean(values: Floats) -> Estimate:
    error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
    return Estimate(float(values.mean()), float(error))


def _weighted_mean(weights: Floats, rewards: Floats) -> Estimate:
    """Return the weighted mean with the standard error of a ratio (delta method)."""
    total = weights.sum()
    if total == 0:
        return Estimate(float("nan"), float("nan"))
    value = float((weights * rewards).sum() / total)
    error = float(np.sqrt((weights**2 * (rewards - value) ** 2).sum()) / total)
    return Estimate(value, error)
