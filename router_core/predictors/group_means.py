"""Group means: what each model's score adds to its mean on prompts of one kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router_core.predictors.category_classifier import Detector

Array = NDArray[np.float32]

#: A group's mean counts as this many prompts on which nothing was added.
SHRINKAGE = 20.0
MAX_CLUSTERS = 40
_PROMPTS_PER_CLUSTER = 40


@dataclass(frozen=True)
class GroupMeans:
    """A detector of groups and each group's shrunken mean addition, [g, m]."""

    detector: Detector
    means: Array  # [g, m]

    @classmethod
    def fit(cls, detector: Detector, points: Array, additions: Array, weights: Array) -> GroupMeans:
        """Average the additions [n, m] (NaN where unknown) over each group, prompts weighted [n]."""
        return cls(detector, shrunken_means(detector.posterior(points) * weights[:, None], additions))

    def predict(self, posterior: Array) -> Array:
        """Return the predicted additions, float32 [n, m], for probabilities of the groups [n, g]."""
        return posterior @ self.means


def shrunken_means(weights: Array, additions: Array) -> Array:
    """Return the weighted means of additions [n, m] for weights [n, g], drawn toward 0, [g, m]."""
    known = np.isfinite(additions)
    totals = weights.T @ np.where(known, additions, 0.0)
    return (totals / (weights.T @ known.astype(np.float32) + SHRINKAGE)).astype(np.float32)


def finest_labels(tasks: Sequence[str | None], clusters: Sequence[str]) -> list[str | None]:
    """Return the task of each prompt or, where most have none, the cluster it falls in."""
    if len(set(tasks) - {None}) > 1 and sum(task is not None for task in tasks) > len(tasks) / 2:
        return list(tasks)
    return list(clusters)


def cluster_labels(points: Array, *, seed: int) -> list[str]:
    """Return the name of the k-means cluster that each point falls in."""
    return [f"cluster {index}" for index in _clusters(points, seed=seed)]


def _clusters(points: Array, *, seed: int) -> NDArray[np.int64]:
    """Return the k-means cluster of each point."""
    import faiss

    count = max(1, min(MAX_CLUSTERS, len(points) // _PROMPTS_PER_CLUSTER))
    kmeans = faiss.Kmeans(points.shape[1], count, niter=20, seed=seed, min_points_per_centroid=1)
    kmeans.train(np.ascontiguousarray(points))
    return np.asarray(kmeans.index.search(np.ascontiguousarray(points), 1)[1][:, 0])
