"""Group means: the mean residual of each model on each group of prompts, and the groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router_core.predictors.category_classifier import SoftmaxClassifier

Array = NDArray[np.float32]

#: The means are shrunk toward 0 as if each group had this many more prompts with a residual of 0.
SHRINKAGE = 20.0
MAX_CLUSTERS = 40
_PROMPTS_PER_CLUSTER = 40


@dataclass(frozen=True)
class GroupMeans:
    """A classifier of prompts by group, and the shrunken mean residuals of the models by group, [g, m]."""

    classifier: SoftmaxClassifier
    means: Array

    @classmethod
    def fit(
        cls, classifier: SoftmaxClassifier, representation: Array, residuals: Array, weights: Array
    ) -> GroupMeans:
        """Return the means of residuals [n, m] (NaN where unknown) of prompts with weights [n]."""
        return cls(
            classifier, shrunken_means(classifier.posterior(representation) * weights[:, None], residuals)
        )

    def predict(self, posterior: Array) -> Array:
        """Return the predicted residuals, float32 [n, m], for probabilities of the groups [n, g]."""
        return posterior @ self.means


def shrunken_means(weights: Array, residuals: Array) -> Array:
    """Return the weighted means of residuals [n, m] for weights [n, g], shrunk toward 0, float32 [g, m]."""
    known = np.isfinite(residuals)
    totals = weights.T @ np.where(known, residuals, 0.0)
    return (totals / (weights.T @ known.astype(np.float32) + SHRINKAGE)).astype(np.float32)


def finest_labels(tasks: Sequence[str | None], clusters: Sequence[str]) -> list[str | None]:
    """Return the task of each prompt or, where most prompts have none, its cluster."""
    if len(set(tasks) - {None}) > 1 and sum(task is not None for task in tasks) > len(tasks) / 2:
        return list(tasks)
    return list(clusters)


def cluster_labels(representation: Array, *, seed: int) -> list[str]:
    """Return the name of the k-means cluster of each prompt, by its representation [n, k]."""
    return [f"cluster {index}" for index in _clusters(representation, seed=seed)]


def _clusters(representation: Array, *, seed: int) -> NDArray[np.int64]:
    """Return the index of each prompt's k-means cluster, int64 [n]."""
    import faiss

    count = max(1, min(MAX_CLUSTERS, len(representation) // _PROMPTS_PER_CLUSTER))
    kmeans = faiss.Kmeans(representation.shape[1], count, niter=20, seed=seed, min_points_per_centroid=1)
    kmeans.train(np.ascontiguousarray(representation))
    return np.asarray(kmeans.index.search(np.ascontiguousarray(representation), 1)[1][:, 0])
