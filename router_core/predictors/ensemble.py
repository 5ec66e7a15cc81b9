"""All predictors of what a prompt adds to a model's mean, fitted together and blended by weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router_core.predictors.category import Detector
from router_core.predictors.groups import GroupMeans
from router_core.predictors.memory import Memory
from router_core.predictors.regressors import CategoryRegressors, Regressors

Array = NDArray[np.float32]

#: The parts of the blend, in the order of their weights.
PARTS = ("category_means", "group_means", "memory", "regressors", "category_regressors")


@dataclass(frozen=True)
class Labels:
    """What the predictors learn from: additions [n, m] (NaN where unknown), categories [n], groups [n]."""

    additions: Array
    categories: Sequence[str | None]
    groups: Sequence[str | None]

    def take(self, rows: NDArray[np.int64]) -> Labels:
        """Return the labels of some rows."""
        return Labels(
            self.additions[rows], [self.categories[row] for row in rows], [self.groups[row] for row in rows]
        )


@dataclass(frozen=True)
class Predictions:
    """The posterior of the categories [n, c] and the additions that each part predicts [parts, n, m]."""

    posterior: Array
    parts: Array

    @property
    def category(self) -> NDArray[np.int64]:
        """Return the index of the likeliest category of each prompt, -1 without categories."""
        return likeliest(self.posterior)


@dataclass(frozen=True)
class Ensemble:
    """The fitted predictors; `detector` tells categories, `groups` the finer kinds of prompt."""

    detector: Detector
    category_means: GroupMeans
    group_means: GroupMeans
    memory: Memory
    regressors: Regressors
    category_regressors: CategoryRegressors

    @classmethod
    def fit(cls, points: Array, labels: Labels, *, seed: int, threads: int = 1) -> Ensemble:
        """Fit every part on representations [n, k]."""
        detector = Detector.fit(points, labels.categories)
        groups = Detector.fit(points, labels.groups)
        posterior = detector.posterior(points)
        inputs = np.hstack([points, posterior, groups.posterior(points)])
        return cls(
            detector,
            GroupMeans.fit(detector, points, labels.additions),
            GroupMeans.fit(groups, points, labels.additions),
            Memory(points, labels.additions),
            Regressors.fit(inputs, labels.additions, seed=seed, threads=threads),
            CategoryRegressors.fit(
                inputs, labels.additions, likeliest(posterior), seed=seed, threads=threads
            ),
        )

    def predict(
        self, points: Array, *, wanted: Sequence[bool] = (True,) * len(PARTS), threads: int = 1
    ) -> Predictions:
        """Return each part's predictions; a part that is not wanted is left at 0."""
        posterior = self.detector.posterior(points)
        parts = np.zeros((len(PARTS), len(points), self.memory.additions.shape[1]), dtype=np.float32)
        for index, means in enumerate((self.category_means, self.group_means)):
            if wanted[index]:
                parts[index] = means.predict(points)
        if wanted[2]:
            parts[2] = self.memory.predict(points)
        if wanted[3] or wanted[4]:
            inputs = np.hstack([points, posterior, self.group_means.detector.posterior(points)])
            parts[3] = self.regressors.predict(inputs, threads=threads)
        if wanted[4]:
            parts[4] = self.category_regressors.predict(
                inputs, parts[3], likeliest(posterior), threads=threads
            )
        return Predictions(posterior, parts)


def likeliest(posterior: Array) -> NDArray[np.int64]:
    """Return the column with the highest probability in each row, -1 without columns."""
    if not posterior.shape[1]:
        return np.full(len(posterior), -1, dtype=np.int64)
    return np.asarray(posterior.argmax(axis=1), dtype=np.int64)


def blend_weights(parts: Array, additions: Array) -> NDArray[np.float64]:
    """Return the non-negative weights [parts] that predict the known additions with the least squared error.

    `parts` [parts, n, m] must be out-of-fold predictions, else the part that overfits most gets all weight.
    """
    from scipy.optimize import nnls  # type: ignore[import-untyped]

    known = np.isfinite(additions)
    if not known.any():
        return np.zeros(len(parts))
    return np.asarray(nnls(parts[:, known].T.astype(np.float64), additions[known].astype(np.float64))[0])
