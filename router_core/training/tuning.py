"""Tuning: blend weights, margins, tau and the cost weight, chosen on prompts that were not learnt from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from router_core.data.splits import splits
from router_core.hyperparameters import Hyperparameters
from router_core.policy.choice import top_two
from router_core.policy.preferences import RoutingPreferences
from router_core.predictors.ensemble import PARTS, Ensemble, Labels, Predictions, blend_weights
from router_core.predictors.pairwise import PairwiseClassifier
from router_core.predictors.scored_prompts import ScoredPrompts
from router_core.router import Router
from router_core.training.deviation_tests import (
    MARGINS,
    TAU_CRITICAL_VALUE,
    Trial,
    best_lower_bound,
    cheapest_significant,
    largest_significant,
    run_trial,
)
from router_core.training.pairwise_metrics import pairwise_metrics

Array = NDArray[np.float32]
Rows = NDArray[np.int64]
Progress = Callable[[str], None]

#: Shares of the prompts, those with the smallest gaps, that the classifier is tried on.
_TAU_SHARES = (0.1, 0.2, 0.35, 0.5)
#: Weights of the best single model's whole cost, in shares of the scores' range.
_COST_WEIGHTS = tuple(float(weight) for weight in np.geomspace(0.005, 1.0, 24))


@dataclass(frozen=True)
class TuningData:
    """What a training works on: points [n, k], scores and costs [n, m], prior [m], folds [n].

    `posterior` [n, c] are the probabilities of the categories, by detectors that did not learn from the
    prompt. Choices are made by `expected_costs` [n, m], and counted by `costs`.
    """

    representation: Array
    posterior: Array
    scores: NDArray[np.float64]
    costs: NDArray[np.float64]
    expected_costs: NDArray[np.float64]
    prior: Array
    labels: Labels
    fold: Rows
    seed: int
    threads: int

    @property
    def score_range(self) -> float:
        """The range of the scores, 1 where all are equal."""
        return float(np.nanmax(self.scores) - np.nanmin(self.scores)) or 1.0


@dataclass(frozen=True)
class TuningResult:
    """The chosen settings, the classifier fitted on all out-of-fold predictions, and the record of trials."""

    hyperparameters: Hyperparameters
    pairwise: PairwiseClassifier
    record: dict[str, Any]


def tune(router: Router, task: TuningData, *, progress: Progress) -> TuningResult:
    """Choose all settings of a router whose predictors are fitted; its own settings are not looked at."""
    predictions = _out_of_fold(task, progress)
    weights = blend_weights(predictions.parts, task.labels.residuals, task.labels.weights)
    # Routing leaves parts without weight out, so the classifier must not learn from them either.
    used = Predictions(predictions.posterior, predictions.parts * (weights > 0)[:, None, None])
    router = replace(router, hyperparameters=Hyperparameters.trusting(weights, task.score_range))
    progress("pairwise classifier")
    contest = ScoredPrompts(task.representation, used, router.blend(used))
    return _SettingsEvaluator.of(router, task, contest).tune()


@dataclass(frozen=True)
class _SettingsEvaluator:
    """Judges settings by what the router would have reached, each fold with its own classifier."""

    router: Router
    data: TuningData
    scored: ScoredPrompts
    pairwise: PairwiseClassifier
    by_fold: tuple[tuple[Rows, PairwiseClassifier], ...]

    @classmethod
    def of(cls, router: Router, task: TuningData, contest: ScoredPrompts) -> _SettingsEvaluator:
        def fit(rows: Rows) -> PairwiseClassifier:
            return PairwiseClassifier.fit(contest.take(rows), task.scores[rows], task.labels.weights[rows])

        by_fold = tuple((held_out, fit(learnt)) for learnt, held_out in splits(task.fold))
        return cls(router, task, contest, fit(np.arange(len(task.representation))), by_fold)

    def tune(self) -> TuningResult:
        """Choose margin, tau, the margin for saving and the cost weight, in this order."""
        trials = {"quality": self._try_margins("quality", 0.0, MARGINS)}
        margin = best_lower_bound(trials["quality"])
        trials["tau"] = [] if margin is None else self._try_taus(margin)
        tau = best_lower_bound(trials["tau"], TAU_CRITICAL_VALUE) or 0.0
        trials["saving"] = self._try_margins("saving", tau, MARGINS)
        saving = cheapest_significant(trials["saving"], cost=self._reference().cost)
        trials["cost_weight"] = self._try_cost_weights(tau)
        cost_weight = largest_significant(trials["cost_weight"])
        settings = replace(
            self.router.hyperparameters,
            tau=tau,
            margins={
                "quality": margin,
                "saving": saving,
                "weighted": None if cost_weight is None else 0.0,
                "budget": margin,
                "cargo": 0.0,
            },
            cost_weight=cost_weight or 0.0,
        )
        return TuningResult(
            settings, self.pairwise, {"trials": trials, "fallback": self._pairwise_metrics(tau)}
        )

    def _try_margins(self, policy: str, tau: float, margins: Iterable[float]) -> list[Trial]:
        wish = RoutingPreferences(policy=policy)  # type: ignore[arg-type]
        best = self._best()
        return [
            self._compare(margin, self._choices(wish, margin=margin, tau=tau), best) for margin in margins
        ]

    def _try_taus(self, margin: float) -> list[Trial]:
        wish = RoutingPreferences(policy="quality")
        without = self._choices(wish, margin=margin, tau=0.0)
        gap = top_two(self.scored.blended).gap
        taus = [float(tau) for tau in np.quantile(gap, _TAU_SHARES) if tau > 0]
        return [self._compare(tau, self._choices(wish, margin=margin, tau=tau), without) for tau in taus]

    def _try_cost_weights(self, tau: float) -> list[Trial]:
        best = self._best()
        wishes = {
            weight: RoutingPreferences(policy="weighted", cost_weight=weight) for weight in _COST_WEIGHTS
        }
        return [
            self._compare(weight, self._choices(wish, margin=0.0, tau=tau), best)
            for weight, wish in wishes.items()
        ]

    def _pairwise_metrics(self, tau: float) -> dict[str, Any]:
        """Return how the classifier does alone on pairs under the gap, next to taking the higher score."""
        return pairwise_metrics(
            self.scored, self.data.scores, self.data.labels.weights, self.by_fold, tau=tau
        )

    def _best(self) -> Rows:
        return np.full(len(self.data.scores), int(self.data.prior.argmax()))

    def _reference(self) -> Trial:
        return self._compare(0.0, self._best(), self._best())

    def _compare(self, setting: float, choice: Rows, reference: Rows) -> Trial:
        rows = np.arange(len(choice))
        scores, costs = self.data.scores, self.data.costs
        return run_trial(
            setting,
            scores[rows, choice],
            scores[rows, reference],
            costs[rows, choice],
            self.data.labels.weights,
            score_range=self.data.score_range,
        )

    def _choices(self, wish: RoutingPreferences, *, margin: float, tau: float) -> Rows:
        settings = replace(self.router.hyperparameters, tau=tau, margins={wish.policy: margin})
        choice = np.zeros(len(self.data.representation), dtype=np.int64)
        for rows, fallback in self.by_fold:
            predictors = replace(self.router.predictors, pairwise=fallback)
            router = replace(self.router, predictors=predictors, hyperparameters=settings)
            choice[rows] = router.decide(
                self.scored.take(rows),
                models=router.models,
                costs=self.data.expected_costs[rows],
                preferences=wish,
            ).choice
        return choice


def _out_of_fold(task: TuningData, progress: Progress) -> Predictions:
    """Return predictions for every prompt by an ensemble that has not seen it."""
    n, m = task.scores.shape
    parts = np.zeros((len(PARTS), n, m), dtype=np.float32)
    for number, (learnt, held_out) in enumerate(splits(task.fold), start=1):
        progress(f"inner fold {number}")
        ensemble = Ensemble.fit(
            task.representation[learnt],
            task.posterior[learnt],
            task.labels.take(learnt),
            seed=task.seed,
            threads=task.threads,
        )
        parts[:, held_out] = ensemble.predict(
            task.representation[held_out], task.posterior[held_out], threads=task.threads
        ).parts
    return Predictions(task.posterior, parts)
