"""Baseline strategies, and the results of strategies on a table of four prompts."""

import numpy as np
import pytest

from router_core.evaluation.strategies import Strategy, baseline_strategies, oracle, uniform_random
from router_core.evaluation.strategy_results import strategy_results
from tests.support.outcomes import NAN, always, make_outcomes


def test_the_oracle_takes_the_cheapest_of_the_best_and_never_an_unjudged_model():
    outcomes = make_outcomes([[1, 1, 0], [NAN, 0, 0], [NAN, 1, NAN]], [3, 2, 1])
    assert oracle(outcomes).tolist() == [1, 2, 1]


def test_the_random_strategy_draws_among_judged_models():
    random = uniform_random(make_outcomes([[1, NAN, 0]]))
    np.testing.assert_array_equal(random.shares, [[0.5, 0, 0.5]])
    assert random.expected(np.array([[1, NAN, 0]])).tolist() == [0.5]


def test_the_best_single_model_in_hindsight_and_the_cheapest_are_those_of_the_rows():
    strategies = baseline_strategies(make_outcomes([[0, 1], [0, 1], [1, 0]], [1, 2]))
    assert strategies["best single (in hindsight)"].shares[0].tolist() == [0, 1]
    assert strategies["cheapest"].shares[0].tolist() == [1, 0]


def result_of(choice):
    """Return the result of these choices beside a best single model `a`."""
    outcomes = make_outcomes([[0, 1], [1, 0], [1, 0], [1, 1]], [0.001, 0.002])
    strategies = {
        "best single": always(0, 0, 0, 0, models=2),
        "tested": always(*choice, models=2),
        "oracle": Strategy.from_choice(oracle(outcomes), 2),
    }
    return {result.name: result for result in strategy_results(outcomes, strategies)}["tested"]


def test_quality_headroom_cost_and_win_rates_are_those_computed_by_hand():
    result = result_of([1, 0, 0, 0])
    assert (result.quality.value, result.gain.value, result.headroom.value) == (1.0, 0.25, 1.0)
    assert result.cost.value == pytest.approx(1.25)
    assert result.relative_cost.value == pytest.approx(1.25)
    assert result.model_shares == {"a": 0.75, "b": 0.25}
    assert result.win_rates["a"].paper.value == pytest.approx((1 + 3 * 0.5) / 4)
    assert result.win_rates["a"].fair.value == pytest.approx((1 + 3 * 0.5) / 4)
    assert result.win_rates["b"].paper.value == pytest.approx((0.5 + 1 + 1 + 0) / 4)
    assert result.win_rates["b"].fair.value == pytest.approx((0.5 + 1 + 1 + 0.5) / 4)


def test_the_best_single_model_itself_gains_exactly_0():
    result = result_of([0, 0, 0, 0])
    assert (result.gain.value, result.gain.error, result.headroom.error) == (0, 0, 0)
    assert result.relative_cost.value == 1


def test_headroom_is_unknown_where_the_oracle_gains_nothing_and_cost_where_no_cost_is_known():
    outcomes = make_outcomes([[1, 1], [0, 0]])
    strategies = dict.fromkeys(("best single", "oracle"), always(0, 0, models=2))
    result = strategy_results(outcomes, strategies)[0]
    unknown = [result.headroom.value, result.cost.value, result.relative_cost.value, result.cost.error]
    assert np.isnan(unknown).all()
