"""Ridge regression of the residuals on a prompt's representation and task probabilities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

#: The ridge penalty: like this many prompts with a residual of 0 along each unit vector.
_PENALTY = 30.0


@dataclass(frozen=True)
class RidgeRegression:
    """The coefficients, float32 [k + 1, m]; the last row is the intercept."""

    coefficients: Array

    @classmethod
    def fit(cls, inputs: Array, residuals: Array, weights: Array) -> RidgeRegression:
        """Fit to residuals [n, m], NaN where unknown, from inputs [n, k] with the prompts' weights [n]."""
        design = with_intercept(inputs).astype(np.float64)
        columns = [_solve(design, column, weights) for column in residuals.T.astype(np.float64)]
        return cls(np.array(columns, dtype=np.float32).T)

    def predict(self, inputs: Array) -> Array:
        """Return the predicted residuals, float32 [n, m]."""
        return np.asarray(with_intercept(inputs) @ self.coefficients)


def _solve(inputs: NDArray[np.float64], target: NDArray[np.float64], weights: Array) -> NDArray[np.float64]:
    """Return the coefficients [k + 1] of one model."""
    known = np.isfinite(target)
    weighted = inputs[known] * weights[known, None]
    gram = weighted.T @ inputs[known] + _PENALTY * np.eye(inputs.shape[1])
    return np.asarray(np.linalg.solve(gram, weighted.T @ target[known]), dtype=np.float64)


def with_intercept(inputs: Array) -> Array:
    """Return inputs [n, k] with a last column of ones, [n, k + 1]."""
    return np.hstack([inputs, np.ones((len(inputs), 1), dtype=np.float32)])
