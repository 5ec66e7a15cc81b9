"""The verdict of an evaluation: one sentence that says whether a router is worth having."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import hypot, isnan

from router_core.evaluation.metrics.bootstrap import EstimateWithError
from router_core.evaluation.strategy_results import BEST_SINGLE, StrategyResult

#: A difference is sure from so many standard errors on.
_SIGMAS = 2.0
#: From this share of unfamiliar prompts on, the verdict says so.
_MANY_UNFAMILIAR = 0.15
#: A router that sends fewer prompts elsewhere has no gain of its own.
_LEAST_ROUTED = 0.005


def verdict(policy: str, results: Mapping[str, StrategyResult], *, unfamiliar: float | None = None) -> str:
    """Return the sentence on a router under one policy.

    Args:
        policy: The policy.
        results: The results by strategy: the router's under this policy, `best single` and `cheapest`.
        unfamiliar: The share of prompts unlike the router's labels; None where it is not measured.
    """
    case = _Case(policy, results[f"router: {policy}"], results[BEST_SINGLE], results["cheapest"])
    return f"{case.sentence()}{_unfamiliar_text(unfamiliar)}."


@dataclass(frozen=True)
class _Case:
    policy: str
    router: StrategyResult
    single: StrategyResult
    cheapest: StrategyResult

    def sentence(self) -> str:
        best_single = self.single.most_taken  # of several folds, that of most of them
        name = f"This router (policy {self.policy})"
        if isnan(self.router.gain.value):
            return f"{name} chooses models of which too few scores are known to judge it"
        if self.is_beaten_by_cheapest:
            cheapest = self.cheapest.most_taken
            return f"{name} is worse and dearer than always taking {cheapest}, the cheapest model"
        if self.router.model_shares[best_single] > 1 - _LEAST_ROUTED:
            return f"{name} sends every prompt to {best_single}, the best single model: it gains nothing"
        return f"{name} is {self._quality()} always taking {best_single}, {self._price()}"

    @property
    def is_beaten_by_cheapest(self) -> bool:
        """Whether always taking the cheapest model is better for less."""
        router, cheapest = self.router, self.cheapest
        error = hypot(router.quality.error, cheapest.quality.error)
        return (
            cheapest.quality.value - router.quality.value > _SIGMAS * error
            and router.cost.value > cheapest.cost.value
        )

    def _quality(self) -> str:
        gain = self.router.gain
        size = f"{abs(gain.value):.4f} ± {gain.error:.4f} on {self.router.prompts:,} prompts"
        if _is_sure(gain):
            return f"{'better' if gain.value > 0 else 'worse'} by {size} than"
        return f"not shown to be better or worse ({gain.value:+.4f} ± {size.partition('± ')[2]}) than"

    def _price(self) -> str:
        ratio = self.router.relative_cost
        if isnan(ratio.value):
            return "at a cost that is not known"
        if abs(ratio.value - 1) <= _SIGMAS * ratio.error or ratio.value == 1:
            return "at about the same cost"
        if ratio.value < 1:
            return f"at {ratio.value:.0%} of its cost"
        return f"at {ratio.value:.2f} times its cost"


def _is_sure(gain: EstimateWithError) -> bool:
    return abs(gain.value) > _SIGMAS * gain.error and gain.value != 0


def _unfamiliar_text(share: float | None) -> str:
    if share is None or share < _MANY_UNFAMILIAR:
        return ""
    return f"; about {share:.0%} of these prompts (estimated) are unlike its labels"
