"""All predictors of what a prompt adds to a model's mean, fitted together and blended by weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router_core.predictors.category_classifier import SoftmaxClassifier
from router_core.predictors.gradient_boosting import CategoryRegressors, Regressors
from router_core.predictors.group_means import GroupMeans, shrunken_means
from router_core.predictors.knn import KNearestNeighbours, knn_inputs
from router_core.predictors.linear import RidgeRegression

Array = NDArray[np.float32]

#: The parts, in the order of their weights.
PARTS = (
    "category_means",
    "group_means",
    "cluster_means",
    "memory",
    "linear",
    "regressors",
    "category_regressors",
)
#: Those that the blend averages: four ways to learn, each of which errs in its own way.
BLENDED = ("cluster_means", "memory", "linear", "category_regressors")
#: Fewer prompts form fewer clusters than there are categories, whose means are blended in then.
SMALL_TRAINING_SET = 400


@dataclass(frozen=True)
class Labels:
    """Additions [n, m] (NaN where unknown), groups, clusters and weights [n] to learn from.

    Groups are the finest kinds of prompt that the labels name, clusters those that the prompts form.
    """

    residuals: Array
    groups: Sequence[str | None]
    clusters: Sequence[str]
    weights: Array

    def take(self, rows: NDArray[np.int64]) -> Labels:
        """Return the labels of some rows."""
        return Labels(
            self.residuals[rows],
            [self.groups[row] for row in rows],
            [self.clusters[row] for row in rows],
            self.weights[rows],
        )


@dataclass(frozen=True)
class Predictions:
    """The posterior of the categories [n, c] and the additions that each part predicts [parts, n, m]."""

    posterior: Array
    parts: Array


@dataclass(frozen=True)
class Ensemble:
    """The fitted predictors; `category_means` are [c, m], the others by finer kinds of prompt."""

    category_means: Array
    group_means: GroupMeans
    cluster_means: GroupMeans
    knn: KNearestNeighbours
    linear: RidgeRegression
    regressors: Regressors
    category_regressors: CategoryRegressors

    @classmethod
    def fit(
        cls, representation: Array, posterior: Array, labels: Labels, *, seed: int, threads: int = 1
    ) -> Ensemble:
        """Fit every part on representations [n, k] and probabilities of categories [n, c].

        The probabilities must be what the detector says of prompts that it did not learn from.
        """
        groups = SoftmaxClassifier.fit(representation, labels.groups)
        task_probabilities = groups.posterior(representation)
        inputs = np.hstack([representation, posterior, task_probabilities])
        residuals, weights = labels.residuals, labels.weights
        return cls(
            shrunken_means(posterior * weights[:, None], residuals),
            GroupMeans.fit(groups, representation, residuals, weights),
            GroupMeans.fit(
                SoftmaxClassifier.fit(representation, labels.clusters), representation, residuals, weights
            ),
            KNearestNeighbours(knn_inputs(representation, task_probabilities), residuals, weights),
            RidgeRegression.fit(np.hstack([representation, task_probabilities]), residuals, weights),
            Regressors.fit(inputs, residuals, weights, seed=seed, threads=threads),
            CategoryRegressors.fit(
                inputs, residuals, weights, argmax_column(posterior), seed=seed, threads=threads
            ),
        )

    def task_probabilities(self, representation: Array) -> Array:
        """Return the probabilities of the finer kinds of prompt, float32 [n, g]."""
        return self.group_means.classifier.posterior(representation)

    def predict(
        self,
        representation: Array,
        posterior: Array,
        *,
        wanted: Sequence[bool] = (True,) * len(PARTS),
        threads: int = 1,
    ) -> Predictions:
        """Return each part's predictions; a part that is not wanted is left at 0."""
        task_probabilities = self.task_probabilities(representation)
        parts = np.zeros((len(PARTS), len(representation), self.knn.residuals.shape[1]), dtype=np.float32)
        if wanted[0]:
            parts[0] = posterior @ self.category_means
        if wanted[1]:
            parts[1] = self.group_means.predict(task_probabilities)
        if wanted[2]:
            parts[2] = self.cluster_means.predict(self.cluster_means.classifier.posterior(representation))
        if wanted[3]:
            parts[3] = self.knn.predict(knn_inputs(representation, task_probabilities))
        if wanted[4]:
            parts[4] = self.linear.predict(np.hstack([representation, task_probabilities]))
        if wanted[5] or wanted[6]:
            inputs = np.hstack([representation, posterior, task_probabilities])
            parts[5] = self.regressors.predict(inputs, threads=threads)
        if wanted[6]:
            parts[6] = self.category_regressors.predict(
                inputs, parts[5], argmax_column(posterior), threads=threads
            )
        return Predictions(posterior, parts)


def argmax_column(posterior: Array) -> NDArray[np.int64]:
    """Return the column with the highest probability in each row, -1 without columns."""
    if not posterior.shape[1]:
        return np.full(len(posterior), -1, dtype=np.int64)
    return np.asarray(posterior.argmax(axis=1), dtype=np.int64)


def blend_weights(parts: Array, residuals: Array, weights: Array) -> NDArray[np.float64]:
    """Return the weights [parts] of the blend: half an even blend of BLENDED, half the best fitting one.

    A choice takes the highest of many predictions and so picks their noise, and weights that are fitted
    together lean on the part that is luckiest on the prompts at hand. In the even blend each part is brought
    to scale by itself: it does as well on prompts like those learnt from, and better on clusters of prompts
    that were left out of the learning. The fitted one keeps more of the quality where money is saved.

    A prompt's errors count as `weights` [n] say. `parts` [parts, n, m] must be out-of-fold predictions. A
    part that only makes noise is scaled to nothing; one that predicts nothing at all is not counted. Of fewer
    than FEW prompts the means by category are blended as well.
    """
    known = np.isfinite(residuals)
    roots = np.sqrt(np.broadcast_to(weights[:, None], known.shape)[known].astype(np.float64))
    wanted = (residuals[known] * roots).astype(np.float64)
    blended = BLENDED if len(residuals) >= SMALL_TRAINING_SET else ("category_means", *BLENDED)
    speaking = [index for index, part in enumerate(PARTS) if part in blended and parts[index].any()]
    result = np.zeros(len(parts))
    if speaking and len(wanted):
        predicted = np.column_stack([parts[index][known] * roots for index in speaking])
        scales = [float(_fit(column[:, None], wanted)[0]) for column in predicted.T]
        even = np.array(scales, dtype=np.float64) / len(speaking)
        even *= _fit((predicted @ even)[:, None], wanted)[0]
        result[speaking] = (even + _fit(predicted, wanted)) / 2
    return result


def _fit(predicted: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the non-negative weights [k] of predictions [n, k] with the least squared error."""
    from scipy.optimize import nnls  # type: ignore[import-untyped]

    return np.asarray(nnls(predicted, wanted)[0])
