"""What a call will probably cost, learnt from what calls did cost. It is known before; the bill is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ExpectedCosts:
    """Dollars for each kind of task and for each character, [tasks + 1, m]; NaN for a model without costs.

    Answers are longer for some tasks than for others, and what is read costs by its length.
    """

    coefficients: Floats

    @classmethod
    def fit(cls, task_probabilities: Array, texts: Sequence[str], costs: Floats) -> ExpectedCosts:
        """Learn from probabilities of tasks [n, t], prompts [n] and dollars [n, m], NaN where unknown."""
        inputs = _inputs(task_probabilities, texts)
        return cls(np.column_stack([_fit(inputs, column) for column in costs.T]))

    def predict(self, task_probabilities: Array, texts: Sequence[str]) -> Floats:
        """Return the expected dollars of each prompt on each model, float64 [n, m]."""
        return np.asarray(_inputs(task_probabilities, texts) @ self.coefficients)


def _inputs(task_probabilities: Array, texts: Sequence[str]) -> Floats:
    kinds = task_probabilities if task_probabilities.shape[1] else np.ones((len(texts), 1))
    return np.column_stack([kinds, np.array([len(text) for text in texts], dtype=np.float64)])


def _fit(inputs: Floats, costs: Floats) -> Floats:
    from scipy.optimize import nnls  # type: ignore[import-untyped]

    known = np.isfinite(costs)
    if not known.any():
        return np.full(inputs.shape[1], np.nan)
    # Columns and costs of like size: dollars per character are small numbers.
    scale = np.maximum(inputs[known].max(axis=0), 1e-12)
    unit = float(costs[known].mean()) or 1.0
    found, _ = nnls(inputs[known] / scale, costs[known] / unit)
    return np.asarray(found * unit / scale)
