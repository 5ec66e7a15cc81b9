"""Cost-quality curves, AIQ and the cost at equal quality, on points that can be drawn by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from router_core.evaluation.cost_quality_curves import cost_quality_curves
from router_core.evaluation.metrics.curves import (
    CostWeightSweep,
    aiq,
    cost_at_equal_quality,
    equal_quality_strategy,
    hull,
)
from tests.support.outcomes import always, make_outcomes


def test_the_hull_leaves_out_points_below_it_and_dearer_points_of_no_higher_quality():
    costs, qualities = hull(np.array([1.0, 2, 3, 4]), np.array([0.5, 0.6, 0.9, 0.8]), floor=0.0)
    assert costs.tolist() == [0, 1, 3]
    assert qualities.tolist() == [0, 0.5, 0.9]


def test_aiq_is_the_mean_height_of_the_hull_between_the_two_costs():
    # From 1 to 3 the line from 0.5 to 0.9 (mean 0.7), from 3 to 4 flat at 0.9.
    costs, qualities = np.array([1.0, 3, 4]), np.array([0.5, 0.9, 0.8])
    assert aiq(costs, qualities, low=1, high=4, floor=0.0) == pytest.approx((2 * 0.7 + 0.9) / 3)
    # One point: from the null router at cost 0 up to it, then flat.
    assert aiq(np.array([2.0]), np.array([1.0]), low=1, high=3, floor=0.0) == pytest.approx((0.75 + 1) / 2)
    assert np.isnan(aiq(costs, qualities, low=2, high=2, floor=0.0))


points = arrays(float, st.tuples(st.integers(2, 8), st.just(2)), elements=st.floats(0.01, 1))


@given(points)
def test_the_hull_is_above_all_points_rising_and_concave(values):
    costs, qualities = hull(values[:, 0], values[:, 1], floor=0.0)
    assert (np.diff(qualities) > 0).all()
    slopes = np.diff(qualities) / np.diff(costs)
    assert (np.diff(slopes) <= 1e-9).all()
    assert (np.interp(values[:, 0], costs, qualities) >= values[:, 1] - 1e-9).all()


@given(points, st.floats(0.01, 1), st.floats(0.01, 1))
def test_a_further_point_never_lowers_aiq(values, cost, quality):
    extended = np.vstack([values, [cost, quality]])
    before, after = (aiq(v[:, 0], v[:, 1], low=0.1, high=0.9, floor=0.0) for v in (values, extended))
    assert after >= before - 1e-9


# Model a always has the score 1 and costs 2. Model b has it on even prompts and costs 1. The three weights
# choose a everywhere, b on even prompts, and b everywhere.
OUTCOMES = make_outcomes([[1.0, 1.0 - row % 2] for row in range(8)], [2, 1])
SWEEP = CostWeightSweep(np.array([[0] * 8, [1 - row % 2 for row in range(8)], [1] * 8]))
BEST_SINGLE = always(*[0] * 8, models=2)


def test_the_weight_of_equal_quality_is_chosen_on_the_other_half():
    half = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    # On the first half only a is good, so the second half stays with a.
    split_outcomes = make_outcomes([[1, 0]] * 4 + [[1, 1]] * 4, [2, 1])
    strategy = equal_quality_strategy(SWEEP, split_outcomes, BEST_SINGLE, half)
    assert strategy.shares[:, 1].tolist() == [1] * 4 + [0] * 4
    strategy = equal_quality_strategy(SWEEP, OUTCOMES, BEST_SINGLE, half)
    assert strategy.shares[:, 1].tolist() == [1, 0] * 4


def test_the_cost_at_equal_quality_is_that_of_the_cheapest_weight_without_a_loss():
    assert cost_at_equal_quality(SWEEP, OUTCOMES, BEST_SINGLE) == pytest.approx(0.75)
    assert np.isnan(cost_at_equal_quality(CostWeightSweep(SWEEP.choice[2:]), OUTCOMES, BEST_SINGLE))


def test_aiq_is_taken_between_the_cheapest_and_the_dearest_model():
    curves = cost_quality_curves(OUTCOMES, {"router": SWEEP}, BEST_SINGLE)
    assert curves["router"].costs == (2000, 1500, 1000)
    assert curves["router"].qualities == (1, 1, 0.5)
    # The single models: a line from (1, 0.5) to (2, 1). The router: up to (1.5, 1), then flat; but (1, 0.5)
    # is below the line from the null router (0, 0) to (1.5, 1), whose height at 1 is 2/3.
    assert curves["single models"].aiq.value == pytest.approx(0.75)
    assert curves["router"].aiq.value == pytest.approx((5 / 6 + 1) / 2)
    assert curves["router"].reached_at == pytest.approx(0.75)


def test_without_costs_there_is_no_curve():
    assert cost_quality_curves(make_outcomes([[1, 0]] * 8), {}, BEST_SINGLE) == {}
