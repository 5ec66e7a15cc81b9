"""The best mix of fixed models at a router's cost."""

import numpy as np
import pytest

from router_core.evaluation.best_constant import best_constants, name_of
from router_core.evaluation.metrics.curves import hull
from router_core.evaluation.outcomes import Outcomes
from router_core.evaluation.strategies import Strategy
from tests.support.outcomes import NAN, always, make_outcomes


def compared(outcomes: Outcomes, choice: list[int]):
    """Return the best constant at the cost of these choices, and its comparison."""
    strategy = always(*choice, models=len(outcomes.models))
    constants, [comparison] = best_constants(outcomes, {"router: saving": strategy})
    return constants[name_of("saving")], comparison


def test_half_the_cost_of_two_models_is_their_even_mix():
    outcomes = make_outcomes([[0, 1], [0, 1], [1, 1], [0, 1]], [1, 3])
    constant, found = compared(outcomes, [1, 1, 0, 0])
    np.testing.assert_allclose(constant.shares, [[0.5, 0.5]] * 4)
    assert dict(found.mix) == pytest.approx({outcomes.models[0]: 0.5, outcomes.models[1]: 0.5})
    # The router has 3 of 4 right; the mix has half of 1 in 4 and half of 4 in 4.
    assert found.gain.value == pytest.approx(0.75 - 0.625)


def test_a_model_that_is_dearer_and_worse_is_never_in_the_mix():
    outcomes = make_outcomes([[1, 0, 1], [0, 0, 1]], [1, 2, 3])
    constant, _ = compared(outcomes, [1, 1])
    np.testing.assert_allclose(constant.shares[0], [0.5, 0, 0.5])


def test_below_the_cheapest_model_it_is_the_cheapest_and_above_the_best_it_is_the_best():
    scores = [[0.0, 1.0, 0.5]] * 3
    dearest, _ = compared(make_outcomes(scores, [1, 2, 3]), [2, 2, 2])
    assert dearest.shares[0].tolist() == [0, 1, 0]
    rows = make_outcomes(scores, [1, 2, 3])
    free = Outcomes(rows.models, rows.ids, rows.categories, rows.scores, rows.costs.copy(), rows.prompt_index)
    free.costs[:, 0] = [0.0, 1.0, 2.0]
    cheapest, _ = compared(free.take(np.array([0])), [0])
    assert cheapest.shares[0].tolist() == [1, 0, 0]


@pytest.mark.parametrize("seed", range(5))
def test_its_height_is_that_of_the_upper_hull(seed: int):
    random = np.random.default_rng(seed)
    outcomes = make_outcomes(random.random((40, 6)).tolist(), random.uniform(1, 9, 6).tolist())
    constant, _ = compared(outcomes, random.integers(0, 6, 40).tolist())
    cost = np.mean([outcomes.costs[row, column] for row, column in enumerate(_choice(seed))])
    costs, qualities = hull(outcomes.costs.mean(axis=0), outcomes.scores.mean(axis=0), floor=-1e9)
    assert constant.expected(outcomes.scores).mean() == pytest.approx(
        np.interp(max(cost, outcomes.costs.mean(axis=0).min()), costs, qualities), abs=1e-6
    )
    assert constant.expected(outcomes.costs).mean() <= cost * (1 + 1e-6)


def _choice(seed: int) -> list[int]:
    random = np.random.default_rng(seed)
    random.random((40, 6))
    random.uniform(1, 9, 6)
    return random.integers(0, 6, 40).tolist()


def test_a_router_that_draws_at_random_does_not_beat_it_and_says_so():
    random = np.random.default_rng(0)
    outcomes = make_outcomes((random.random((400, 3)) < [0.4, 0.5, 0.7]).astype(float).tolist(), [1, 2, 4])
    _, found = compared(outcomes, random.integers(0, 3, 400).tolist())
    assert not found.is_beaten
    note = found.note()
    assert note is not None
    assert "the best constant at equal cost" in note
    assert f"± {found.gain.error:.4f}" in note
    assert found.gain.error > 0


def test_a_router_that_knows_the_prompts_beats_it_and_says_nothing():
    scores = np.eye(3)[np.arange(300) % 3]
    _, found = compared(make_outcomes(scores.tolist(), [1, 2, 3]), (np.arange(300) % 3).tolist())
    assert found.is_beaten
    assert found.note() is None


def test_without_known_costs_there_is_none_and_unjudged_models_count_where_they_are_known():
    unknown = make_outcomes([[0, 1], [1, 0]])
    assert best_constants(unknown, {"router: saving": always(0, 1, models=2)}) == ({}, ())
    outcomes = make_outcomes([[0, 1], [1, NAN], [0, 1]], [1, 2])
    constant, _ = compared(outcomes, [1, 0, 1])
    assert constant.shares[0].tolist() == pytest.approx([1 / 3, 2 / 3])


def test_other_strategies_are_not_compared():
    outcomes = make_outcomes([[0, 1], [1, 0]], [1, 2])
    assert best_constants(outcomes, {"kNN": Strategy.from_choice(np.array([0, 1]), 2)}) == ({}, ())
