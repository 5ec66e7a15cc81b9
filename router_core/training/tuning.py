"""Tuning: blend weights, margins, tau and the cost weight are chosen by out-of-fold predictions."""

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
from router_core.predictors.ensemble import PARTS, Ensemble, Predictions
from router_core.predictors.pairwise import PairwiseClassifier
from router_core.predictors.scored_prompts import ScoredPrompts
from router_core.router import Router
from router_core.training.blend_choice import choose_weights
from router_core.training.curves import curves_record
from router_core.training.deviation_tests import (
    MARGINS,
    TAU_CRITICAL_VALUE,
    Trial,
    best_lower_bound,
    cheapest_significant,
    largest_significant,
)
from router_core.training.pairwise_metrics import pairwise_metrics
from router_core.training.tuning_data import TuningData

Array = NDArray[np.float32]
Rows = NDArray[np.int64]
Progress = Callable[[str], None]

#: The quantiles of the gaps that are tried as tau: shares of the prompts that are then decided pairwise.
_TAU_SHARES = (0.1, 0.2, 0.35, 0.5)
#: The cost weights that are tried (see `RoutingPreferences`).
COST_WEIGHTS = tuple(float(weight) for weight in np.geomspace(0.005, 1.0, 24))


@dataclass(frozen=True)
class TuningResult:
    """The result of tuning.

    Attributes:
        hyperparameters: The chosen values.
        pairwise: The pairwise classifier, fitted on the out-of-fold predictions of all prompts.
        record: The trials and the metrics of the pairwise classifier, for the manifest.
        scored: The out-of-fold predictions of all prompts.
        by_fold: For each fold, its rows and the pairwise classifier that was fitted on the other folds.
    """

    hyperparameters: Hyperparameters
    pairwise: PairwiseClassifier
    record: dict[str, Any]
    scored: ScoredPrompts
    by_fold: tuple[tuple[Rows, PairwiseClassifier], ...]


def tune(router: Router, data: TuningData, *, progress: Progress) -> TuningResult:
    """Choose the hyperparameters of a router whose predictors are fitted.

    Args:
        router: The router; its own hyperparameters are ignored.
        data: The data that its predictors were fitted on.
        progress: Called with the name of each step.
    """
    predictions = _out_of_fold(data, progress)
    weights = choose_weights(data, predictions)
    # Parts without weight are not computed in routing, so the pairwise classifier must not be fitted on them.
    used = replace(predictions, parts=predictions.parts * (weights > 0)[:, None, None])
    router = replace(router, hyperparameters=Hyperparameters.without_margins(weights, data.score_range))
    progress("pairwise classifier")
    scored = ScoredPrompts(data.representation, used, router.blend(used))
    return _SettingsEvaluator.of(router, data, scored).tune()


@dataclass(frozen=True)
class _SettingsEvaluator:
    """Evaluates settings by the choices of the router on the held-out prompts of each fold.

    `by_fold` has, for each fold, its rows and the pairwise classifier that was fitted on the other folds.
    """

    router: Router
    data: TuningData
    scored: ScoredPrompts
    pairwise: PairwiseClassifier
    by_fold: tuple[tuple[Rows, PairwiseClassifier], ...]

    @classmethod
    def of(cls, router: Router, data: TuningData, scored: ScoredPrompts) -> _SettingsEvaluator:
        """Fit the pairwise classifiers."""

        def fit(rows: Rows) -> PairwiseClassifier:
            return PairwiseClassifier.fit(scored.take(rows), data.scores[rows], data.labels.weights[rows])

        by_fold = tuple((held_out, fit(training)) for training, held_out in splits(data.fold))
        return cls(router, data, scored, fit(np.arange(len(data.representation))), by_fold)

    def tune(self) -> TuningResult:
        """Choose the margin, tau, the margin of `saving` and the cost weight, in this order."""
        trials = {"quality": self._try_margins("quality", 0.0, MARGINS)}
        margin = best_lower_bound(trials["quality"])
        trials["tau"] = [] if margin is None else self._try_taus(margin)
        tau = best_lower_bound(trials["tau"], TAU_CRITICAL_VALUE) or 0.0
        trials["saving"] = self._try_margins("saving", tau, MARGINS)
        saving = cheapest_significant(trials["saving"], cost=self.data.best_single_cost)
        trials["cost_weight"] = self._try_cost_weights(tau)
        cost_weight = largest_significant(trials["cost_weight"])
        hyperparameters = replace(
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
        curves = curves_record(self.router.models, self.data, self.scored, self.by_fold)
        record = {"trials": trials, "fallback": self._pairwise_metrics(tau), "curves": curves}
        return TuningResult(hyperparameters, self.pairwise, record, self.scored, self.by_fold)

    def _try_margins(self, policy: str, tau: float, margins: Iterable[float]) -> list[Trial]:
        preferences = RoutingPreferences(policy=policy)  # type: ignore[arg-type]
        return [
            self.data.compare_with_best_single(margin, self._choices(preferences, margin=margin, tau=tau))
            for margin in margins
        ]

    def _try_taus(self, margin: float) -> list[Trial]:
        preferences = RoutingPreferences(policy="quality")
        without_pairwise = self._choices(preferences, margin=margin, tau=0.0)
        gap = top_two(self.scored.blended).gap
        taus = [float(tau) for tau in np.quantile(gap, _TAU_SHARES) if tau > 0]
        return [
            self.data.compare(tau, self._choices(preferences, margin=margin, tau=tau), without_pairwise)
            for tau in taus
        ]

    def _try_cost_weights(self, tau: float) -> list[Trial]:
        preferences = {
            weight: RoutingPreferences(policy="weighted", cost_weight=weight) for weight in COST_WEIGHTS
        }
        return [
            self.data.compare_with_best_single(weight, self._choices(weighted, margin=0.0, tau=tau))
            for weight, weighted in preferences.items()
        ]

    def _pairwise_metrics(self, tau: float) -> dict[str, Any]:
        """Return the metrics of the pairwise classifier by itself, on the pairs with a gap below tau."""
        return pairwise_metrics(
            self.scored, self.data.scores, self.data.labels.weights, self.by_fold, tau=tau
        )

    def _choices(self, preferences: RoutingPreferences, *, margin: float, tau: float) -> Rows:
        """Return the router's choice for each prompt with these settings, decided fold by fold."""
        settings = replace(self.router.hyperparameters, tau=tau, margins={preferences.policy: margin})
        choice = np.zeros(len(self.data.representation), dtype=np.int64)
        for rows, classifier in self.by_fold:
            predictors = replace(self.router.predictors, pairwise=classifier)
            router = replace(self.router, predictors=predictors, hyperparameters=settings)
            choice[rows] = router.decide(
                self.scored.take(rows),
                models=router.models,
                costs=self.data.expected_costs[rows],
                preferences=preferences,
            ).choice
        return choice


def _out_of_fold(data: TuningData, progress: Progress) -> Predictions:
    """Return the predictions for each prompt by an ensemble that was fitted on the other folds."""
    n, m = data.scores.shape
    parts, signals = np.zeros((len(PARTS), n, m), dtype=np.float32), np.zeros((n, 2), dtype=np.float32)
    for number, (training, held_out) in enumerate(splits(data.fold), start=1):
        progress(f"inner fold {number}")
        ensemble = Ensemble.fit(
            data.representation[training],
            data.posterior[training],
            data.labels.take(training),
            seed=data.seed,
            threads=data.threads,
        )
        found = ensemble.predict(
            data.representation[held_out], data.posterior[held_out], threads=data.threads
        )
        parts[:, held_out], signals[held_out] = found.parts, found.signals
    return Predictions(data.posterior, parts, signals)
