"""The pairwise classifier's predictions on the two models with the highest predicted scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class PairwisePredictions:
    """The pairwise classifier's predictions for n prompts; every array is [n].

    Attributes:
        first: The column of the model with the highest predicted score.
        second: The column of the model with the second highest predicted score.
        gap: The difference of these two scores, NaN with fewer than two models.
        first_wins: The predicted probability that the first model's answer beats the second's.
    """

    first: Rows
    second: Rows
    gap: Floats
    first_wins: Floats
