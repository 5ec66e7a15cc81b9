"""Outcomes of labelled prompts, and expected costs by regression on the length."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router_core.data.labelled_prompts import LabelledPrompt
from router_core.evaluation.outcomes import Outcomes, expected_costs
from tests.support.outcomes import NAN


def test_expected_costs_are_on_a_line_over_the_length_and_not_the_actual_costs():
    costs = np.array([[1.0, NAN], [2, NAN], [3, NAN], [8, NAN]])
    expected = expected_costs(costs, [10, 20, 30, 20])
    assert expected[1, 0] == expected[3, 0] == pytest.approx(3.5)
    assert np.isnan(expected[:, 1]).all()
    assert expected_costs(np.array([[1.0], [3.0]]), [5, 5]).tolist() == [[2], [2]]


@given(st.lists(st.integers(1, 1000), min_size=2, max_size=20), st.floats(0.1, 10))
def test_costs_proportional_to_the_length_are_expected_exactly(lengths, price):
    costs = np.array(lengths, dtype=float)[:, None] * price
    if len(set(lengths)) > 1:
        np.testing.assert_allclose(expected_costs(costs, lengths), costs, rtol=1e-6, atol=1e-6)


def test_prompts_that_differ_in_case_and_spaces_only_have_the_same_index():
    rows = [
        LabelledPrompt(str(i), text, None, None, {"a": 1.0}) for i, text in enumerate(["x y", "X  Y", "z"])
    ]
    index = Outcomes.of(rows, ["a"]).prompt_index
    assert index[0] == index[1] != index[2]
