"""Products with a matrix of dense and of nearly empty columns are those of the whole matrix."""

from __future__ import annotations

import numpy as np
import pytest

from router_core.predictors.design_matrix import DesignMatrix


@pytest.mark.parametrize(("dense", "sparse"), [(5, 40), (5, 0), (0, 40)])
def test_products_are_those_of_the_matrix(dense: int, sparse: int) -> None:
    rng = np.random.default_rng(0)
    words = rng.standard_normal((30, sparse)) * (rng.random((30, sparse)) < 0.05)
    inputs = np.hstack([words, rng.standard_normal((30, dense))])
    weights, values = rng.standard_normal((inputs.shape[1], 3)), rng.standard_normal((30, 3))
    matrix = DesignMatrix.of(inputs.astype(np.float32))
    assert matrix.dense.shape == (30, dense)
    exact = inputs.astype(np.float32).astype(np.float64)
    np.testing.assert_allclose(matrix.times(weights), exact @ weights)
    np.testing.assert_allclose(matrix.transposed_times(values), exact.T @ values)
