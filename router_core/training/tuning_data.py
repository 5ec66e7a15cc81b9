"""What a router is tuned on: labels and the inputs of the predictors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router_core.data.labelled_prompts import LabelledPrompt, cost_matrix, score_matrix
from router_core.policy.columns import best_column
from router_core.predictors.ensemble import Labels
from router_core.predictors.group_means import cluster_labels, finest_labels
from router_core.predictors.targets import fit_additive_effects
from router_core.training.deviation_tests import Trial, run_trial

Array = NDArray[np.float32]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class TuningData:
    """The labels and the inputs of the predictors, for n prompts and m models.

    Attributes:
        vectors: The prompts' embeddings, [n, d].
        representation: Their representations, [n, k].
        posterior: Out-of-fold probabilities of the categories, [n, c].
        scores: The scores, [n, m], NaN where unknown.
        costs: The true costs, dollars (or ranks, if some model has none), [n, m], by which choices are
            evaluated.
        expected_costs: The expected costs, dollars, [n, m], by which choices are made.
        prior: The models' mean scores, [m].
        labels: What the ensemble is fitted on.
        fold: The inner fold of each prompt, [n].
        seed: The seed of the regressors.
        threads: The number of threads of LightGBM.
        costs_are_known: Whether the costs are dollars, and not ranks.
    """

    vectors: Array
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
    costs_are_known: bool = True

    @classmethod
    def of(
        cls,
        rows: Sequence[LabelledPrompt],
        models: Sequence[str],
        vectors: Array,
        representation: Array,
        posterior: Array,
        weights: Array,
        fold: NDArray[np.int64],
        priors: Mapping[str, float],
        *,
        seed: int,
        threads: int,
    ) -> TuningData:
        """Return the data of labelled prompts; the arguments are as in `train` or the attributes."""
        scores = score_matrix(rows, models)
        expected = np.array([priors.get(model, np.nan) for model in models])
        prior, residuals = fit_additive_effects(scores, weights, expected)
        clusters = cluster_labels(representation, seed=seed)
        groups = finest_labels([row.task for row in rows], clusters)
        known = cost_matrix(rows, models)
        costs = _costs(known, prior)
        return cls(
            vectors=vectors,
            representation=representation,
            posterior=posterior,
            scores=scores,
            costs=costs,
            expected_costs=costs,
            prior=prior,
            labels=Labels(residuals, groups, clusters, weights),
            fold=fold,
            seed=seed,
            threads=threads,
            costs_are_known=_are_dollars(known),
        )

    @property
    def score_range(self) -> float:
        """The range of the scores, highest less lowest; 1 if all are equal."""
        return float(np.nanmax(self.scores) - np.nanmin(self.scores)) or 1.0

    @property
    def best_single(self) -> int:
        """The column of the model with the highest mean score, of equal ones the cheapest, as in use."""
        return best_column(self.prior, self.expected_costs)

    @property
    def best_single_cost(self) -> float:
        """The mean cost of a prompt on that model, dollars."""
        return self.compare_with_best_single(0.0, np.full(len(self.scores), self.best_single)).cost

    def compare(self, setting: float, choice: Rows, reference: Rows) -> Trial:
        """Compare the models chosen for each prompt [n] with a reference [n]; `setting` is what was tried."""
        rows = np.arange(len(choice))
        return run_trial(
            setting,
            self.scores[rows, choice],
            self.scores[rows, reference],
            self.costs[rows, choice],
            self.labels.weights,
            score_range=self.score_range,
        )

    def compare_with_best_single(self, setting: float, choice: Rows) -> Trial:
        """Compare the models chosen for each prompt [n] with the best single one."""
        return self.compare(setting, choice, np.full(len(choice), self.best_single))


def _are_dollars(costs: NDArray[np.float64]) -> bool:
    """Return whether every model has a known cost."""
    return bool(np.isfinite(costs).any(axis=0).all())


def _costs(costs: NDArray[np.float64], prior: Array) -> NDArray[np.float64]:
    """Return the costs, each model's mean where unknown; if a model has none, all models' ranks by score."""
    known = np.isfinite(costs)
    if not _are_dollars(costs):
        return np.tile(prior.astype(np.float64).argsort().argsort() + 1.0, (len(costs), 1))
    means = np.where(known, costs, 0.0).sum(axis=0) / known.sum(axis=0)
    return np.where(known, costs, means)
