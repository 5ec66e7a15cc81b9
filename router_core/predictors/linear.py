"""A linear map from what a prompt is like to what it adds to every model, by ridge regression."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

#: Counts as this many prompts on which nothing was added, along each direction of unit length.
_PENALTY = 30.0


@dataclass(frozen=True)
class RidgeRegression:
    """Coefficients [k + 1, m], the last row is the intercept."""

    coefficients: Array

    @classmethod
    def fit(cls, inputs: Array, residuals: Array, weights: Array) -> RidgeRegression:
        """Learn the additions [n, m], NaN where unknown, from inputs [n, k] with weights [n]."""
        wide = with_intercept(inputs).astype(np.float64)
        columns = [_solve(wide, column, weights) for column in residuals.T.astype(np.float64)]
        return cls(np.array(columns, dtype=np.float32).T)

    def predict(self, inputs: Array) -> Array:
        """Return the predicted additions, float32 [n, m]."""
        return np.asarray(with_intercept(inputs) @ self.coefficients)


def _solve(inputs: NDArray[np.float64], target: NDArray[np.float64], weights: Array) -> NDArray[np.float64]:
    known = np.isfinite(target)
    weighted = inputs[known] * weights[known, None]
    gram = weighted.T @ inputs[known] + _PENALTY * np.eye(inputs.shape[1])
    return np.asarray(np.linalg.solve(gram, weighted.T @ target[known]), dtype=np.float64)


def with_intercept(inputs: Array) -> Array:
    """Return inputs [n, k] with a last column of ones, [n, k + 1]."""
    return np.hstack([inputs, np.ones((len(inputs), 1), dtype=np.float32)])
