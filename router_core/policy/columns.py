"""The columns of the models that a caller asks for, among those that a router knows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Costs = NDArray[np.floating]


def columns_of(known: tuple[str, ...], models: tuple[str, ...]) -> NDArray[np.int64]:
    """Return the column of each requested model among the known ones, -1 for an unknown model."""
    index = {model: column for column, model in enumerate(known)}
    return np.array([index.get(model, -1) for model in models], dtype=np.int64)


def select(values: Array, columns: NDArray[np.int64]) -> Array:
    """Return the given columns of [n, m], NaN for column -1."""
    return np.where(columns >= 0, values[:, columns], np.float32(np.nan))


def best_column(prior: Array, costs: Costs) -> int:
    """Return the index of the highest prior; of equal ones, that of the lowest mean cost."""
    mean_costs = np.nan_to_num(costs, nan=np.inf).mean(axis=0) if len(costs) else np.zeros(len(prior))
    return int(np.lexsort((mean_costs, -np.nan_to_num(prior, nan=-np.inf)))[0])
