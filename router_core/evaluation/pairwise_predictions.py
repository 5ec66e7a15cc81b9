"""Duels: the two highest predictions of each prompt, and the classifier's word on them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class PairwisePredictions:
    """Models first and second, gap (NaN where there are not two), P(first beats second), all [n]."""

    first: Rows
    second: Rows
    gap: Floats
    first_wins: Floats
