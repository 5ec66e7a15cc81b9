"""Tuning of the shift guard: margins and thresholds that hold on kinds of prompts that were left out as well.

Each setting is tried twice: on the held-out prompts of the inner folds, which are like the labelled ones,
and on kinds of prompts that were left out. Its gain must be significant on the first, as without the guard.
On the second it must not be behind the best single model by more than TOLERANCE standard errors.
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
from router_core.predictors.novelty import GroupGaussians, NoveltyMeasure, group_numbers
from router_core.predictors.scored_prompts import ScoredPrompts
from router_core.router import Router
from router_core.training.deviation_tests import MARGINS, Trial, run_trial
from router_core.training.left_out import distances_to_others, kind_folds, predict_left_out
from router_core.training.tuning import COST_WEIGHTS, TuningData, TuningResult

Rows = NDArray[np.int64]

#: The thresholds of novelty that are tried, from lenient to strict.
THRESHOLDS = (0.99, 0.95, 0.9, 0.8, 0.65, 0.5, 0.35, 0.2)
#: With fewer kinds, leaving some out leaves too little to learn from, and tells nothing.
MIN_KINDS = 4
_TUNED: tuple[Policy, ...] = ("quality", "saving", "weighted")
#: How many standard errors a setting may lie behind the best single model on kinds that were left out.
TOLERANCE = 0.5


@dataclass(frozen=True)
class _Estimates:
    """One setting of one policy, with its two estimates."""

    margin: float
    threshold: float
    cost_weight: float
    familiar: Trial
    left_out: Trial

    @property
    def is_safe(self) -> bool:
        """Whether the setting gains on familiar prompts and is not behind on kinds that were left out."""
        return (
            self.familiar.is_significant() and self.left_out.gain >= -TOLERANCE * self.left_out.standard_error
        )


def with_shift_guard(router: Router, data: TuningData, result: TuningResult) -> Router:
    """Return a tuned router with the measure of novelty and the guard; unchanged with few kinds."""
    groups = group_numbers(data.labels.groups)
    if groups.max() + 1 < MIN_KINDS:
        return router
    router, familiar, left_out = _measured(router, data, result, groups)
    tuner = _ShiftTuner(router, data, result, familiar, left_out)
    chosen = {policy: tuner.best(policy) for policy in _TUNED}
    guard = _guard(chosen)
    record = {**router.training, "shift": tuner.record(chosen, guard)}
    return replace(_with_guard(router, guard), training=record)


def _with_guard(router: Router, guard: ShiftGuard) -> Router:
    return replace(router, hyperparameters=replace(router.hyperparameters, shift=guard))


def _measured(
    router: Router, data: TuningData, result: TuningResult, groups: Rows
) -> tuple[Router, ScoredPrompts, ScoredPrompts]:
    """Return the router with its measure, and the familiar and the left-out predictions of all prompts."""
    representation, weights = data.representation, np.array(router.hyperparameters.weights)
    predictions = predict_left_out(
        router.predictors.ensemble, representation, data.posterior, data.labels, weights
    )
    gaussians = GroupGaussians.fit(representation, groups)
    folds = data.fold, kind_folds(data.labels)
    distances = [distances_to_others(gaussians, representation, groups, fold) for fold in folds]
    signals = [
        one.with_distance(distance)
        for one, distance in zip((result.scored.predictions, predictions), distances, strict=True)
    ]
    measure = NoveltyMeasure.fit(gaussians, signals[0], signals[1])
    familiar = replace(result.scored, novelty=measure.of_signals(signals[0]))
    blended = router.blend(predictions)
    left_out = ScoredPrompts(representation, predictions, blended, measure.of_signals(signals[1]))
    return replace(router, novelty=measure), familiar, left_out


def _guard(chosen: dict[Policy, _Estimates | None]) -> ShiftGuard:
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
    """Tries settings on familiar and on left-out predictions of the same prompts."""

    router: Router
    data: TuningData
    result: TuningResult
    familiar: ScoredPrompts
    left_out: ScoredPrompts

    def best(self, policy: Policy) -> _Estimates | None:
        """Return the best safe setting: the highest lower bound for `quality`, else the lowest cost."""
        safe = [one for one in self._tried(policy) if one.is_safe]
        if policy == "quality":
            return max(safe, key=lambda one: one.familiar.lower_bound, default=None)
        reference = self._trial(self.familiar, np.full(len(self.data.scores), self._best_single)).cost
        cheaper = [one for one in safe if policy == "weighted" or one.familiar.cost < reference]
        return min(cheaper, key=lambda one: one.familiar.cost, default=None)

    def record(self, chosen: dict[Policy, _Estimates | None], guard: ShiftGuard) -> dict[str, Any]:
        """Return the entry of the manifest: the two estimates by policy, with the guard and without it."""
        novelty = self.left_out.novelty
        assert novelty is not None
        return {
            "kinds": int(group_numbers(self.data.labels.groups).max()) + 1,
            "tolerance": TOLERANCE,
            "detected": {
                policy: float((novelty > threshold).mean()) for policy, threshold in guard.thresholds.items()
            },
            "guard": {policy: one and asdict(one) for policy, one in chosen.items()},
            "none": {policy: self._unguarded(policy) for policy in chosen},
        }

    def _tried(self, policy: Policy) -> Iterator[_Estimates]:
        """Yield the settings whose gain on familiar prompts is significant."""
        weights = COST_WEIGHTS if policy == "weighted" else (0.0,)
        margins: Iterable[float] = (0.0,) if policy == "weighted" else MARGINS
        for margin, weight, threshold in product(margins, weights, THRESHOLDS):
            preferences = RoutingPreferences(policy=policy, cost_weight=weight)
            guard = ShiftGuard({policy: margin}, {policy: threshold}, weight)
            familiar = self._trial(self.familiar, self._choices(self.familiar, preferences, guard))
            if familiar.is_significant():
                left_out = self._trial(self.left_out, self._choices(self.left_out, preferences, guard))
                yield _Estimates(margin, threshold, weight, familiar, left_out)

    def _unguarded(self, policy: Policy) -> dict[str, Any]:
        """Return the two estimates of the settings under `shift = "none"`."""
        preferences = RoutingPreferences(policy=policy, cost_weight=self.router.hyperparameters.cost_weight)
        trials = {"familiar": self.familiar, "left_out": self.left_out}
        return {
            name: asdict(self._trial(scored, self._choices(scored, preferences, None)))
            for name, scored in trials.items()
        }

    @property
    def _best_single(self) -> int:
        return int(self.data.prior.argmax())

    def _trial(self, scored: ScoredPrompts, choice: Rows) -> Trial:
        rows, scores = np.arange(len(scored)), self.data.scores
        return run_trial(
            0.0,
            scores[rows, choice],
            scores[:, self._best_single],
            self.data.costs[rows, choice],
            self.data.labels.weights,
            score_range=self.data.score_range,
        )

    def _choices(
        self, scored: ScoredPrompts, preferences: RoutingPreferences, guard: ShiftGuard | None
    ) -> Rows:
        """Return the choice for each prompt.

        The pairwise classifier has seen kinds that are left out; nearly always tau is 0 and it is not used.
        """
        settings = replace(self.router.hyperparameters, shift=guard)
        decide = self._decider(replace(self.router, hyperparameters=settings), preferences)
        if settings.tau == 0 or scored is self.left_out:
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
