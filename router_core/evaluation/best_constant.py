"""The best constant at equal cost: the best mix of fixed models that costs what a router costs.

A mix sends each prompt at random to one of two models, with the same probability for every prompt: it knows
the models' mean scores and costs, and nothing of the prompt. The best one at a cost is on the upper hull of
the models' points (mean cost, mean score). It is chosen in hindsight, on the evaluated prompts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isnan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from router_core.evaluation.metrics.bootstrap import Bootstrap, EstimateWithError, finite_or_none
from router_core.evaluation.outcomes import Outcomes
from router_core.evaluation.strategies import Strategy

Floats = NDArray[np.float64]

ROUTER = "router: "
#: Policies that do not weigh costs, and settings chosen on the evaluated prompts, are not compared.
_COMPARED = ("quality", "saving", "weighted")
#: A cost is reached if it is missed by less than this share.
_TOLERANCE = 1e-9


@dataclass(frozen=True)
class BestConstant:
    """The comparison of a router's policy with the best constant at its cost.

    Attributes:
        policy: The policy.
        mix: The probability of each model in the mix; models without any are left out.
        gain: The router's mean score less the mix's, paired by prompt.
    """

    policy: str
    mix: Mapping[str, float]
    gain: EstimateWithError

    @property
    def is_beaten(self) -> bool:
        """Whether the router is better by more than two standard errors."""
        return self.gain.value > 2 * self.gain.error and self.gain.value > 0

    def note(self) -> str | None:
        """Return a sentence if the router does not beat the mix, else None."""
        if self.is_beaten or isnan(self.gain.value):
            return None
        mix = " + ".join(f"{share:.0%} {model}" for model, share in self.mix.items())
        shown = "is not shown to beat" if self.gain.value > 0 else "does not beat"
        gain = f"{self.gain.value:+.4f} ± {self.gain.error:.4f}"
        return f"Policy {self.policy} {shown} the best constant at equal cost ({mix}): {gain}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        gain = {name: finite_or_none(value) for name, value in vars(self.gain).items()}
        return {"mix": dict(self.mix), "gain": gain, "beaten": self.is_beaten}


def name_of(policy: str) -> str:
    """Return the name of the strategy that is the best constant at a policy's cost."""
    return f"best constant: {policy}"


def best_constants(
    outcomes: Outcomes, strategies: Mapping[str, Strategy], *, seed: int = 0
) -> tuple[dict[str, Strategy], tuple[BestConstant, ...]]:
    """Return the best constant at the cost of each compared policy, by name, and its comparison.

    A policy whose cost is not known on any prompt is left out.
    """
    found, comparisons = {}, []
    for policy in _COMPARED:
        router = strategies.get(f"{ROUTER}{policy}")
        points = None if router is None else _Points.of(outcomes, router, seed)
        if points is not None:
            shares = points.best_mix()
            found[name_of(policy)] = _constant(shares, len(outcomes))
            mix = {outcomes.models[column]: float(shares[column]) for column in np.flatnonzero(shares)}
            comparisons.append(BestConstant(policy, mix, points.gain()))
    return found, tuple(comparisons)


@dataclass(frozen=True)
class _Points:
    """The mean scores and costs of a router and of all m models on the same prompts, in a bootstrap.

    The bootstrap's columns are the router's score and cost, then the scores and the costs of the models.
    """

    bootstrap: Bootstrap
    models: int

    @classmethod
    def of(cls, outcomes: Outcomes, router: Strategy, seed: int) -> _Points | None:
        scores, costs = router.expected(outcomes.scores), router.expected(outcomes.costs)
        known = np.isfinite(scores) & np.isfinite(costs)
        if not known.any():
            return None
        bootstrap = Bootstrap(outcomes.prompt_index[known], seed)
        for column in (scores, costs, *outcomes.scores.T, *outcomes.costs.T):
            bootstrap.add(column[known])
        return cls(bootstrap, len(outcomes.models))

    def best_mix(self) -> Floats:
        """Return the probability of each model in the best mix on the sample, [m]."""
        means = self.bootstrap.sample[None]
        first, second, share = (found[0] for found in _best_pairs(*self._split(means)))
        mix = np.zeros(self.models)
        mix[first] += 1 - share
        mix[second] += share
        return mix

    def gain(self) -> EstimateWithError:
        """Return the router's score less that of the best mix, which each replicate chooses anew."""

        def statistic(means: Floats) -> Floats:
            cost, scores, costs = self._split(means)
            first, second, share = _best_pairs(cost, scores, costs)
            rows = np.arange(len(means))
            mixed = (1 - share) * scores[rows, first] + share * scores[rows, second]
            return np.asarray(means[:, 0] - mixed)

        return self.bootstrap.estimate(statistic)

    def _split(self, means: Floats) -> tuple[Floats, Floats, Floats]:
        """Return the router's cost [r], the models' scores and costs [r, m]; unknown ones are never best."""
        scores, costs = means[:, 2 : 2 + self.models], means[:, 2 + self.models :]
        known = np.isfinite(scores) & np.isfinite(costs)
        return means[:, 1], np.where(known, scores, -np.inf), np.where(known, costs, np.inf)


def _best_pairs(
    cost: Floats, scores: Floats, costs: Floats
) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """Return, for each of r rows, two models and the share of the second in the best mix at a cost [r].

    Args:
        cost: What the mix may cost, [r]; if it is below every model's, the cheapest model is taken.
        scores: The models' mean scores, [r, m].
        costs: Their mean costs, [r, m].
    """
    rows = np.arange(len(cost))
    limit = np.maximum(cost, costs.min(axis=1))[:, None]
    affordable = costs <= limit * (1 + _TOLERANCE)
    first = second = np.where(affordable, scores, -np.inf).argmax(axis=1)
    best, share = scores[rows, first], np.zeros(len(cost))
    is_known = np.isfinite(costs)
    finite_costs, finite_scores = np.where(is_known, costs, 0.0), np.where(is_known, scores, 0.0)
    for cheap in range(scores.shape[1]):
        usable = affordable[:, [cheap]] & ~affordable & is_known
        own_cost, own_score = finite_costs[:, [cheap]], finite_scores[:, [cheap]]
        shares = (limit - own_cost) / np.where(usable, finite_costs - own_cost, 1.0)
        mixed = np.where(usable, own_score + shares * (finite_scores - own_score), -np.inf)
        dear = mixed.argmax(axis=1)
        better = mixed[rows, dear] > best
        best = np.where(better, mixed[rows, dear], best)
        first, second = np.where(better, cheap, first), np.where(better, dear, second)
        share = np.where(better, shares[rows, dear], share)
    return first, second, share


def _constant(shares: Floats, prompts: int) -> Strategy:
    return Strategy(np.tile(shares, (prompts, 1)), np.zeros(prompts, dtype=np.bool_))
