"""What a router is tuned on: labels and the inputs of the predictors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router_core.predictors.ensemble import Labels

Array = NDArray[np.float32]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class TuningData:
    """The labels and the inputs of the predictors, for n prompts and m models.

    Attributes:
        representation: The prompts' representations, [n, k].
        posterior: Out-of-fold probabilities of the categories, [n, c].
        scores: The scores, [n, m], NaN where unknown.
        costs: The true costs, dollars (or ranks, if some model has none), [n, m], by which choices are
            evaluated.
        expected_costs: The expected costs, dollars, [n, m], by which choices are made.
        prior: The models' mean scores, [m].
        labels: What the ensemble is fitted on.
        fold: The inner fold of each prompt, [n].
        seed: The seed of the regressors.
        threads: The number of threads of LightGBM.
    """

    representation: Array
    posterior: Array
    scores: NDArray[np.float64]
    costs: NDArray[np.float64]
    expected_costs: NDArray[np.float64]
    prior: Array
    labels: Labels
    fold: Rows
    seed: int
    threads: int

    @property
    def score_range(self) -> float:
        """The range of the scores, highest less lowest; 1 if all are equal."""
        return float(np.nanmax(self.scores) - np.nanmin(self.scores)) or 1.0
