"""A design matrix of a linear model, of which most columns are hashed words: nearly all zeros."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: A column with a greater share of values that are not 0 is kept as it is.
_DENSE = 0.3


@dataclass(frozen=True)
class DesignMatrix:
    """X [n, k] for products with a few columns, in time by its values that are not 0.

    Attributes:
        is_dense: Which columns are kept as they are, bool [k].
        dense: Those columns, float64 [n, d].
        sparse: The others, a SciPy CSR array [n, k - d].
    """

    is_dense: NDArray[np.bool_]
    dense: Array
    sparse: Any

    @classmethod
    def of(cls, inputs: NDArray[np.floating]) -> DesignMatrix:
        """Return the matrix of inputs [n, k]."""
        from scipy.sparse import csr_array  # type: ignore[import-untyped]

        is_dense = np.count_nonzero(inputs, axis=0) > _DENSE * len(inputs)
        sparse = csr_array(inputs[:, ~is_dense].astype(np.float64))
        return cls(is_dense, inputs[:, is_dense].astype(np.float64), sparse)

    def times(self, weights: Array) -> Array:
        """Return X @ weights, float64 [n, c], for weights [k, c]."""
        return np.asarray(self.dense @ weights[self.is_dense] + self.sparse @ weights[~self.is_dense])

    def transposed_times(self, values: Array) -> Array:
        """Return X.T @ values, float64 [k, c], for values [n, c]."""
        product = np.empty((len(self.is_dense), values.shape[1]))
        product[self.is_dense] = self.dense.T @ values
        product[~self.is_dense] = self.sparse.T @ values
        return product
