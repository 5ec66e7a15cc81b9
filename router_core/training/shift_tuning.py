"""Tuning of the shift guard: margins and thresholds that hold on kinds of prompts that were left out as well.

Each setting is tried on held-out prompts of the inner folds, which are like the labelled ones, and on kinds
of prompts that were left out; on each in batches of their own and in mixed ones. On the first, its gain must
be significant, as without the guard. On the second, it must not be behind the best single model by more than
TOLERANCE standard errors, in either sort of batch. The mixed ones matter because a kind that is met later may
look less new than those that were left out; in a mixed batch these look less new, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from router_core.hyperparameters import ShiftGuard
from router_core.policy.preferences import POLICIES, Policy, RoutingPreferences
from router_core.predictors.ensemble import Predictions
from router_core.predictors.novelty import GroupGaussians, NoveltyMeasure
from router_core.predictors.scored_prompts import ScoredPrompts
from router_core.router import Router
from router_core.training.deviation_tests import MARGINS, Trial
from router_core.training.left_out import (
    distances_to_others,
    kind_folds,
    kinds_of,
    outside_others,
    predict_left_out,
)
from router_core.training.shift_batches import ShiftBatches
from router_core.training.shift_estimates import LENIENT_THRESHOLD, TOLERANCE, Estimates
from router_core.training.tuning import COST_WEIGHTS, TuningResult
from router_core.training.tuning_data import TuningData

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

#: The thresholds of novelty that are tried. Kinds left out of labels that are alike do not show what else may
#: come: so even where they allow more, what is new with this probability, one prompt in five, is held.
THRESHOLDS = (0.2, 0.1, 0.05, 0.02)
#: Every other cost weight is tried, for speed.
_COST_WEIGHTS = COST_WEIGHTS[::2]
_TUNED: tuple[Policy, ...] = ("quality", "saving", "weighted")
#: What share of the best lower bound, or of the largest saving, is given up for a stricter threshold: where
#: the measure is not trusted, and where it is.
NEARLY, NEARLY_IF_TRUSTED = 0.1, 0.03


def with_shift_guard(router: Router, data: TuningData, result: TuningResult) -> Router:
    """Return a tuned router with the measure of novelty and the guard.

    With too few kinds to leave some out, the margins are those without it, and what is new by itself is held.
    """
    kinds = kinds_of(data.labels)
    if kinds is None:
        return _without_kinds(router, data, result)
    router, batches = _measured(router, data, result, kinds)
    tuner = _ShiftTuner(router, data, result, batches)
    chosen = {policy: tuner.best(policy) for policy in _TUNED}
    guard = _guard(chosen)
    record = {**router.training, "shift": tuner.record(chosen, guard, kinds=int(kinds.max()) + 1)}
    return replace(_with_guard(router, guard), training=record)


def _without_kinds(router: Router, data: TuningData, result: TuningResult) -> Router:
    everyone = np.zeros(len(data.fold), dtype=np.int64)
    gaussians = GroupGaussians.fit(data.representation, everyone)
    familiar = _signals(result.scored.predictions, data, everyone, data.fold)
    hyperparameters = router.hyperparameters
    thresholds: dict[str, float] = dict.fromkeys(POLICIES, THRESHOLDS[0])
    guard = ShiftGuard(hyperparameters.margins, thresholds, hyperparameters.cost_weight)
    return _with_guard(replace(router, novelty=NoveltyMeasure.of_familiar(gaussians, familiar)), guard)


def _signals(predictions: Predictions, data: TuningData, kinds: Rows, fold: Rows) -> Floats:
    """Return all signals [n, 4] of prompts that were predicted without those of their fold."""
    measured = replace(predictions, outside=outside_others(data.vectors, fold))
    return measured.all_signals(distances_to_others(data.representation, kinds, fold))


def _with_guard(router: Router, guard: ShiftGuard) -> Router:
    return replace(router, hyperparameters=replace(router.hyperparameters, shift=guard))


def _measured(
    router: Router, data: TuningData, result: TuningResult, kinds: Rows
) -> tuple[Router, ShiftBatches]:
    """Return the router with its measure, and the batches of its familiar and left-out predictions."""
    representation, weights = data.representation, np.array(router.hyperparameters.weights)
    fold = kind_folds(kinds)
    predictions = predict_left_out(
        router.predictors.ensemble, representation, data.posterior, data.labels, weights, fold
    )
    gaussians = GroupGaussians.fit(representation, kinds)
    familiar = _signals(result.scored.predictions, data, kinds, data.fold)
    left_out = _signals(predictions, data, kinds, fold)
    measure = NoveltyMeasure.fit(gaussians, familiar, left_out)
    scored = ScoredPrompts(representation, predictions, router.blend(predictions))
    prompts = (result.scored, familiar), (scored, left_out)
    batches = ShiftBatches.of(measure, *prompts, fold)
    if batches.is_trusted:
        measure = measure.with_neighbours()
        batches = ShiftBatches.of(measure, *prompts, fold)
    return replace(router, novelty=measure), batches


def _guard(chosen: dict[Policy, Estimates | None]) -> ShiftGuard:
    """Return the guard with the settings that were chosen; without one, no deviation is made."""
    margins: dict[str, float | None] = dict.fromkeys(POLICIES)
    thresholds: dict[str, float] = dict.fromkeys(POLICIES, THRESHOLDS[0])
    for policy, one in {**chosen, "budget": chosen["quality"]}.items():
        if one is not None:
            margins[policy], thresholds[policy] = one.margin, one.threshold
    weighted = chosen["weighted"]
    return ShiftGuard({**margins, "cargo": 0.0}, thresholds, weighted.cost_weight if weighted else 0.0)


@dataclass(frozen=True)
class _ShiftTuner:
    """Tries settings on each sort of batch."""

    router: Router
    data: TuningData
    result: TuningResult
    batches: ShiftBatches

    def best(self, policy: Policy) -> Estimates | None:
        """Return the strictest of the safe settings that are nearly as good as the best one."""
        reference = self.data.best_single_cost

        def value(one: Estimates) -> float:
            return one.lower_bound if policy == "quality" else 2 * reference - one.cost

        safe = [one for one in self._tried(policy) if one.is_safe]
        if policy == "saving":
            safe = [one for one in safe if one.familiar.cost < reference]
        highest = max(map(value, safe), default=0.0)
        given_up = (NEARLY_IF_TRUSTED if self.batches.is_trusted else NEARLY) * abs(highest)
        near = [one for one in safe if value(one) >= highest - given_up]
        return min(near, key=lambda one: (one.threshold, -value(one)), default=None)

    def record(
        self, chosen: dict[Policy, Estimates | None], guard: ShiftGuard, *, kinds: int
    ) -> dict[str, Any]:
        """Return the entry of the manifest: the estimates by policy, with the guard and without it."""
        novelty = self.batches.mixed_left_out.novelty
        assert novelty is not None
        return {
            "kinds": kinds,
            "tolerance": TOLERANCE,
            "auc": self.batches.auc,
            "detected": {
                policy: float((novelty > threshold).mean()) for policy, threshold in guard.thresholds.items()
            },
            "guard": {policy: one and asdict(one) for policy, one in chosen.items()},
            "none": {policy: self._unguarded(policy) for policy in chosen},
        }

    def _tried(self, policy: Policy) -> Iterator[Estimates]:
        """Yield the settings whose gain on familiar prompts is significant."""
        weights = _COST_WEIGHTS if policy == "weighted" else (0.0,)
        margins: Iterable[float] = (0.0,) if policy == "weighted" else MARGINS
        lenient = (LENIENT_THRESHOLD,) if self.batches.is_trusted else ()
        for margin, weight, threshold in product(margins, weights, (*lenient, *THRESHOLDS)):
            preferences = RoutingPreferences(policy=policy, cost_weight=weight)
            guard = ShiftGuard({policy: margin}, {policy: threshold}, weight)
            familiar = self._guarded(self.batches.familiar, preferences, guard)
            if familiar.is_significant():
                others = (
                    self._guarded(scored, preferences, guard)
                    for scored in (
                        self.batches.left_out,
                        self.batches.mixed_familiar,
                        self.batches.mixed_left_out,
                    )
                )
                yield Estimates(margin, threshold, weight, familiar, *others)

    def _unguarded(self, policy: Policy) -> dict[str, Any]:
        """Return the estimates of the settings under `shift = "none"`."""
        preferences = RoutingPreferences(policy=policy, cost_weight=self.router.hyperparameters.cost_weight)
        trials = {"familiar": self.batches.familiar, "left_out": self.batches.left_out}
        return {name: asdict(self._guarded(scored, preferences, None)) for name, scored in trials.items()}

    def _guarded(
        self, scored: ScoredPrompts, preferences: RoutingPreferences, guard: ShiftGuard | None
    ) -> Trial:
        return self.data.compare_with_best_single(0.0, self._choices(scored, preferences, guard))

    def _choices(
        self, scored: ScoredPrompts, preferences: RoutingPreferences, guard: ShiftGuard | None
    ) -> Rows:
        """Return the choice for each prompt.

        The pairwise classifier has seen kinds that are left out; nearly always tau is 0 and it is not used.
        """
        settings = replace(self.router.hyperparameters, shift=guard)
        decide = self._decider(replace(self.router, hyperparameters=settings), preferences)
        if settings.tau == 0 or scored.predictions is self.batches.left_out.predictions:
            return decide(scored, np.arange(len(scored)), self.router)
        choice = np.zeros(len(scored), dtype=np.int64)
        for rows, classifier in self.result.by_fold:
            predictors = replace(self.router.predictors, pairwise=classifier)
            choice[rows] = decide(scored.take(rows), rows, replace(self.router, predictors=predictors))
        return choice

    def _decider(
        self, router: Router, preferences: RoutingPreferences
    ) -> Callable[[ScoredPrompts, Rows, Router], Rows]:
        def decide(scored: ScoredPrompts, rows: Rows, fitted: Router) -> Rows:
            return (
                replace(router, predictors=fitted.predictors)
                .decide(
                    scored,
                    models=router.models,
                    costs=self.data.expected_costs[rows],
                    preferences=preferences,
                )
                .choice
            )

        return decide
