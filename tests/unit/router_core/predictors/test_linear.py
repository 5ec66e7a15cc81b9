"""Inputs of the linear predictors."""

import numpy as np

from router_core.predictors.linear import with_intercept


def test_an_intercept_is_a_last_column_of_ones():
    inputs = np.array([[2, 3], [4, 5]], dtype=np.float32)
    assert with_intercept(inputs).tolist() == [[2, 3, 1], [4, 5, 1]]
    assert with_intercept(inputs).dtype == np.float32
