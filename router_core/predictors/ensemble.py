"""The ensemble: all predictors of the models' residuals, fitted together and blended by weights.

A residual is a model's score on a prompt less the mean of the model and the effect of the prompt on all
models; `router_core.predictors.targets` estimates it from the labels.
"""

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
from router_core.predictors.novelty import neighbour_signals

Array = NDArray[np.float32]

#: The parts of the ensemble, in the order of their weights; "memory" are the k nearest neighbours.
PARTS = (
    "category_means",
    "group_means",
    "cluster_means",
    "memory",
    "linear",
    "regressors",
    "category_regressors",
)
#: The parts that the blend averages: four kinds of learners, whose errors differ.
BLENDED = ("cluster_means", "memory", "linear", "category_regressors")
#: With fewer prompts than this the category means are blended in as well, because there are few clusters.
SMALL_TRAINING_SET = 400


@dataclass(frozen=True)
class Labels:
    """The labels that the ensemble is fitted on.

    Attributes:
        residuals: The residuals, float32 [n, m], NaN where unknown.
        groups: The finest kind of each prompt that the labels name, its task or else its cluster [n].
        clusters: The cluster of each prompt [n].
        weights: The weight of each prompt, float32 [n].
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
    """What the ensemble predicts on n prompts.

    Attributes:
        posterior: The probabilities of the categories, [n, c].
        parts: The residuals that each part predicts, [parts, n, m].
        signals: The signals of novelty, [n, 2]; None where they are not needed.
        outside: The shares of the embeddings outside the principal components, [n]; None likewise.
    """

    posterior: Array
    parts: Array
    signals: Array | None = None
    outside: Array | None = None

    def all_signals(self, distances: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the signals, relative Mahalanobis distances [n] and shares outside side by side, [n, 4]."""
        n = len(self.posterior)
        signals = np.zeros((n, 2)) if self.signals is None else self.signals
        return np.column_stack([signals, distances, np.zeros(n) if self.outside is None else self.outside])

    def take(self, rows: NDArray[np.int64]) -> Predictions:
        """Return the predictions on some of the prompts."""
        signals = None if self.signals is None else self.signals[rows]
        outside = None if self.outside is None else self.outside[rows]
        return Predictions(self.posterior[rows], self.parts[:, rows], signals, outside)


@dataclass(frozen=True)
class Ensemble:
    """The fitted parts, named as in PARTS; `category_means` are the mean residuals by category, [c, m]."""

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
        """Fit every part on representations [n, k] and probabilities of the categories [n, c].

        The probabilities must be out-of-fold predictions of the category classifier.
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
        """Return the probabilities of the groups, float32 [n, g]."""
        return self.group_means.classifier.posterior(representation)

    def predict(
        self,
        representation: Array,
        posterior: Array,
        *,
        used: Sequence[bool] = (True,) * len(PARTS),
        threads: int = 1,
    ) -> Predictions:
        """Return the predictions of each part; those of a part that is not used are 0."""
        task_probabilities = self.task_probabilities(representation)
        parts = np.zeros((len(PARTS), len(representation), self.knn.residuals.shape[1]), dtype=np.float32)
        if used[0]:
            parts[0] = posterior @ self.category_means
        if used[1]:
            parts[1] = self.group_means.predict(task_probabilities)
        if used[2]:
            parts[2] = self.cluster_means.predict(self.cluster_means.classifier.posterior(representation))
        nearest, distances = self.knn.predict_with_distances(knn_inputs(representation, task_probabilities))
        if used[3]:
            parts[3] = nearest
        if used[4]:
            parts[4] = self.linear.predict(np.hstack([representation, task_probabilities]))
        if used[5] or used[6]:
            inputs = np.hstack([representation, posterior, task_probabilities])
            parts[5] = self.regressors.predict(inputs, threads=threads)
        if used[6]:
            parts[6] = self.category_regressors.predict(
                inputs, parts[5], argmax_column(posterior), threads=threads
            )
        return Predictions(posterior, parts, neighbour_signals(distances, task_probabilities))


def argmax_column(posterior: Array) -> NDArray[np.int64]:
    """Return the column with the highest probability in each row, -1 without columns."""
    if not posterior.shape[1]:
        return np.full(len(posterior), -1, dtype=np.int64)
    return np.asarray(posterior.argmax(axis=1), dtype=np.int64)


def blend_weights(parts: Array, residuals: Array, weights: Array) -> NDArray[np.float64]:
    """Return the weights of the blend, float64 [parts]: the mean of an even and of a least-squares blend.

    In the even blend, each part is scaled to the residuals by itself, and the parts are averaged. In the
    least-squares blend, all weights are fitted together (non-negative least squares). That favours the part
    which happens to fit the training prompts best, and a choice amplifies such noise, because it takes the
    highest of many predictions. The even blend is as good on prompts like those in training, and better on
    clusters of prompts that were left out of it. The least-squares blend keeps more of the quality where
    money is saved.

    The parts are BLENDED and, of fewer than SMALL_TRAINING_SET prompts, the category means.

    Args:
        parts: Out-of-fold predictions of all parts, [parts, n, m]. A part that is only noise gets a weight
            near 0; one that is 0 everywhere is left out.
        residuals: The residuals, [n, m], NaN where unknown.
        weights: The weight of each prompt's squared errors, [n].
    """
    known = np.isfinite(residuals)
    roots = np.sqrt(np.broadcast_to(weights[:, None], known.shape)[known].astype(np.float64))
    targets = (residuals[known] * roots).astype(np.float64)
    blended = BLENDED if len(residuals) >= SMALL_TRAINING_SET else ("category_means", *BLENDED)
    active = [index for index, part in enumerate(PARTS) if part in blended and parts[index].any()]
    result = np.zeros(len(parts))
    if active and len(targets):
        predicted = np.column_stack([parts[index][known] * roots for index in active])
        scales = [float(_fit(column[:, None], targets)[0]) for column in predicted.T]
        even = np.array(scales, dtype=np.float64) / len(active)
        even *= _fit((predicted @ even)[:, None], targets)[0]
        result[active] = (even + _fit(predicted, targets)) / 2
    return result


def _fit(predicted: NDArray[np.float64], targets: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the non-negative weights [k] of predictions [n, k] with the least squared error."""
    from scipy.optimize import nnls  # type: ignore[import-untyped]

    return np.asarray(nnls(predicted, targets)[0])
