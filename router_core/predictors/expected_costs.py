"""The expected cost of a call, estimated from the costs of the labels and so known before the call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ExpectedCosts:
    """A linear model of the cost of a call: dollars per task and dollars per character of the prompt.

    The cost of the answer depends mostly on the task, the cost of the prompt on its length.

    Attributes:
        coefficients: The dollars, float64 [tasks + 1, m]; NaN for a model without costs.
    """

    coefficients: Floats

    @classmethod
    def fit(cls, task_probabilities: Array, texts: Sequence[str], costs: Floats) -> ExpectedCosts:
        """Fit to the costs of labelled prompts by non-negative least squares.

        Args:
            task_probabilities: The probabilities of the tasks, [n, t].
            texts: The prompts [n].
            costs: The costs in dollars, [n, m], NaN where unknown.
        """
        inputs = _inputs(task_probabilities, texts)
        return cls(np.column_stack([_fit(inputs, column) for column in costs.T]))

    def predict(self, task_probabilities: Array, texts: Sequence[str]) -> Floats:
        """Return the expected cost of each prompt on each model, dollars, float64 [n, m]."""
        return np.asarray(_inputs(task_probabilities, texts) @ self.coefficients)


def _inputs(task_probabilities: Array, texts: Sequence[str]) -> Floats:
    tasks = task_probabilities if task_probabilities.shape[1] else np.ones((len(texts), 1))
    return np.column_stack([tasks, np.array([len(text) for text in texts], dtype=np.float64)])


def _fit(inputs: Floats, costs: Floats) -> Floats:
    from scipy.optimize import nnls  # type: ignore[import-untyped]

    known = np.isfinite(costs)
    if not known.any():
        return np.full(inputs.shape[1], np.nan)
    # Columns and costs are scaled to similar size, because dollars per character are very small numbers.
    scale = np.maximum(inputs[known].max(axis=0), 1e-12)
    unit = float(costs[known].mean()) or 1.0
    coefficients, _ = nnls(inputs[known] / scale, costs[known] / unit)
    return np.asarray(coefficients * unit / scale)
