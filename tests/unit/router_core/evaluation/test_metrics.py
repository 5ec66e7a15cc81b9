"""Every metric on examples that can be computed by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from router_core.data.labelled_prompts import LabelledPrompt
from router_core.evaluation.cost_quality_curves import cost_quality_curves
from router_core.evaluation.metrics.accuracy import best_set_top1, fair_wins, paper_wins, strict_top1
from router_core.evaluation.metrics.bootstrap import Bootstrap, resampled_means
from router_core.evaluation.metrics.calibration import calibration, confusion, pairwise_calibration
from router_core.evaluation.metrics.curves import (
    CostWeightSweep,
    aiq,
    cost_where_reached,
    equal_quality,
    hull,
)
from router_core.evaluation.metrics.gap_recovered import apgr, cpt, recovered_gap, two_model_metrics
from router_core.evaluation.metrics.threshold_sweep import threshold_point, threshold_points
from router_core.evaluation.outcomes import Outcomes, expected_costs
from router_core.evaluation.pairwise_predictions import PairwisePredictions
from router_core.evaluation.strategies import Strategy, baseline_strategies, oracle, uniform_random
from router_core.evaluation.strategy_results import strategy_results

NAN = float("nan")


def outcomes(scores, costs=None, categories=None):
    scores = np.array(scores, dtype=float)
    n, m = scores.shape
    costs = np.full((n, m), NAN) if costs is None else np.broadcast_to(np.array(costs, dtype=float), (n, m))
    return Outcomes(
        tuple("abcdefg"[:m]),
        tuple(f"p{row}" for row in range(n)),
        tuple(categories or [None] * n),
        scores,
        costs,
        np.arange(n),
    )


def choosing(*choice, models=3):
    return Strategy.choosing(np.array(choice), models)


# Four prompts, three models: one best model, a tie of two, all equal, one model not judged.
SCORES = [[1, 0, 0], [1, 1, 0], [0, 0, 0], [0.5, NAN, 1]]


def test_strict_top1_counts_prompts_with_one_best_model_only():
    right = strict_top1(outcomes(SCORES))
    np.testing.assert_array_equal(right, [[1, 0, 0], [NAN] * 3, [NAN] * 3, [0, NAN, 1]])


def test_best_set_top1_counts_a_score_that_equals_the_best_as_right():
    right = best_set_top1(outcomes(SCORES))
    np.testing.assert_array_equal(right, [[1, 0, 0], [1, 1, 0], [1, 1, 1], [0, NAN, 1]])


def test_the_papers_win_is_a_half_for_the_same_choice_and_nothing_for_a_tie():
    wins = paper_wins(outcomes(SCORES), 0)
    np.testing.assert_array_equal(wins, [[0.5, 0, 0], [0.5, 0, 0], [0.5, 0, 0], [0.5, NAN, 1]])


def test_the_fair_win_is_a_half_for_every_tie():
    wins = fair_wins(outcomes(SCORES), 0)
    np.testing.assert_array_equal(wins, [[0.5, 0, 0], [0.5, 0.5, 0], [0.5, 0.5, 0.5], [0.5, NAN, 1]])


@given(arrays(float, st.tuples(st.integers(1, 20), st.just(3)), elements=st.sampled_from([0.0, 0.5, 1.0])))
def test_fair_wins_of_two_models_over_each_other_add_up_to_one_and_are_never_below_the_papers(scores):
    table = outcomes(scores)
    for a, b in [(0, 1), (1, 2), (2, 0)]:
        np.testing.assert_array_equal(fair_wins(table, a)[:, b] + fair_wins(table, b)[:, a], 1)
        assert (fair_wins(table, a) >= paper_wins(table, a)).all()


def test_the_oracle_takes_the_cheapest_of_equals_and_never_an_unjudged_model():
    table = outcomes([[1, 1, 0], [NAN, 0, 0], [NAN, 1, NAN]], [3, 2, 1])
    assert oracle(table).tolist() == [1, 2, 1]


def test_the_lottery_draws_among_judged_models():
    np.testing.assert_array_equal(uniform_random(outcomes([[1, NAN, 0]])).shares, [[0.5, 0, 0.5]])
    assert uniform_random(outcomes([[1, NAN, 0]])).expected(np.array([[1, NAN, 0]])).tolist() == [0.5]


def test_the_best_single_in_hindsight_and_the_cheapest_are_those_of_the_rows():
    ways = baseline_strategies(outcomes([[0, 1], [0, 1], [1, 0]], [1, 2]))
    assert ways["best single (in hindsight)"].shares[0].tolist() == [0, 1]
    assert ways["cheapest"].shares[0].tolist() == [1, 0]


def table_of(choice):
    rows = outcomes([[0, 1], [1, 0], [1, 0], [1, 1]], [0.001, 0.002])
    ways = {"best single": choosing(0, 0, 0, 0, models=2), "ours": choosing(*choice, models=2)}
    ways["oracle"] = Strategy.choosing(oracle(rows), 2)
    return {line.name: line for line in strategy_results(rows, ways)}


def test_a_line_has_quality_headroom_and_money_as_by_hand():
    line = table_of([1, 0, 0, 0])["ours"]
    assert (line.quality.value, line.gain.value, line.headroom.value) == (1.0, 0.25, 1.0)
    assert line.cost.value == pytest.approx(1.25)
    assert line.relative_cost.value == pytest.approx(1.25)
    assert line.model_shares == {"a": 0.75, "b": 0.25}
    assert line.win_rates["a"].paper.value == pytest.approx((1 + 3 * 0.5) / 4)
    assert line.win_rates["a"].fair.value == pytest.approx((1 + 3 * 0.5) / 4)
    assert line.win_rates["b"].paper.value == pytest.approx((0.5 + 1 + 1 + 0) / 4)
    assert line.win_rates["b"].fair.value == pytest.approx((0.5 + 1 + 1 + 0.5) / 4)


def test_a_line_that_is_the_best_single_model_gains_exactly_nothing():
    line = table_of([0, 0, 0, 0])["ours"]
    assert (line.gain.value, line.gain.error, line.headroom.error) == (0, 0, 0)
    assert line.relative_cost.value == 1


def test_without_room_there_is_no_headroom_and_without_costs_no_cost():
    rows = outcomes([[1, 1], [0, 0]])
    ways = dict.fromkeys(("best single", "oracle"), choosing(0, 0, models=2))
    line = strategy_results(rows, ways)[0]
    assert np.isnan([line.headroom.value, line.cost.value, line.relative_cost.value, line.cost.error]).all()


def test_the_error_of_a_mean_is_the_usual_one_and_the_same_seed_gives_the_same():
    values = np.random.default_rng(0).normal(size=500)
    figures = []
    for _ in range(2):
        bootstrap = Bootstrap(np.arange(500), 3)
        figures.append(bootstrap.mean(bootstrap.add(values)))
    assert figures[0] == figures[1]
    assert figures[0].error == pytest.approx(values.std(ddof=1) / np.sqrt(500), rel=0.1)


def test_rows_of_one_prompt_are_drawn_together():
    values = np.repeat(np.random.default_rng(0).normal(size=100), 9)
    bootstrap = Bootstrap(np.repeat(np.arange(100), 9))
    assert bootstrap.mean(bootstrap.add(values)).error == pytest.approx(values.std() / np.sqrt(100), rel=0.15)


def test_means_are_over_known_values_and_a_ratio_to_nothing_is_unknown():
    means = resampled_means(np.array([[1, NAN], [3, NAN]]), np.arange(2), replicates=5, seed=0)
    assert means[0, 0] == 2
    assert np.isnan(means[:, 1]).all()
    bootstrap = Bootstrap(np.arange(3))
    one, none = bootstrap.add(np.ones(3)), bootstrap.add(np.zeros(3))
    assert np.isnan(bootstrap.ratio(one, none).value)


def test_paired_values_have_no_error_in_their_difference():
    values = np.random.default_rng(0).normal(size=50)
    bootstrap = Bootstrap(np.arange(50))
    column = bootstrap.add((values + 1) - values)
    assert bootstrap.mean(column).error == pytest.approx(0)


def test_the_hull_leaves_out_points_below_the_line_and_dear_points_that_gain_nothing():
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
def test_the_hull_is_above_all_points_rises_and_bends_down(values):
    costs, qualities = hull(values[:, 0], values[:, 1], floor=0.0)
    assert (np.diff(qualities) > 0).all()
    slopes = np.diff(qualities) / np.diff(costs)
    assert (np.diff(slopes) <= 1e-9).all()
    assert (np.interp(values[:, 0], costs, qualities) >= values[:, 1] - 1e-9).all()


@given(points, st.floats(0.01, 1), st.floats(0.01, 1))
def test_a_further_point_never_lowers_aiq(values, cost, quality):
    wider = np.vstack([values, [cost, quality]])
    before, after = (aiq(v[:, 0], v[:, 1], low=0.1, high=0.9, floor=0.0) for v in (values, wider))
    assert after >= before - 1e-9


# Model a: always 1, cost 2. Model b: right on even prompts, cost 1. Weights: all a, b where right, all b.
TWO = [[1.0, 1.0 - row % 2] for row in range(8)]
SWEEP = CostWeightSweep(np.array([[0] * 8, [1 - row % 2 for row in range(8)], [1] * 8]))


def test_the_weight_of_equal_quality_is_chosen_on_the_other_half():
    table = outcomes(TWO, [2, 1])
    best = choosing(*[0] * 8, models=2)
    # On the first half nothing is right but a, so the second half stays with a.
    half = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    shifted = outcomes([[1, 0]] * 4 + [[1, 1]] * 4, [2, 1])
    way = equal_quality(SWEEP, shifted, best, half)
    assert way.shares[:, 1].tolist() == [1] * 4 + [0] * 4
    assert equal_quality(SWEEP, table, best, half).shares[:, 1].tolist() == [1, 0] * 4


def test_the_cost_at_equal_quality_is_that_of_the_cheapest_weight_that_keeps_up():
    table, best = outcomes(TWO, [2, 1]), choosing(*[0] * 8, models=2)
    assert cost_where_reached(SWEEP, table, best) == pytest.approx(0.75)
    assert np.isnan(cost_where_reached(CostWeightSweep(SWEEP.choice[2:]), table, best))


def test_curves_are_measured_between_the_cheapest_and_the_dearest_model():
    lines = cost_quality_curves(outcomes(TWO, [2, 1]), {"ours": SWEEP}, choosing(*[0] * 8, models=2))
    assert lines["ours"].costs == (2000, 1500, 1000)
    assert lines["ours"].qualities == (1, 1, 0.5)
    # The singles: a line from (1, 0.5) to (2, 1). Ours: up to (1.5, 1), then flat; but (1, 0.5) is below the
    # line from the null router (0, 0) to (1.5, 1), whose height at 1 is 2/3.
    assert lines["single models"].aiq.value == pytest.approx(0.75)
    assert lines["ours"].aiq.value == pytest.approx((5 / 6 + 1) / 2)
    assert lines["ours"].reached_at == pytest.approx(0.75)
    assert cost_quality_curves(outcomes(TWO), {}, choosing(*[0] * 8, models=2)) == {}


def test_apgr_and_cpt_are_those_of_the_order_of_the_calls():
    strong, weak = np.array([1.0, 1, 1, 1]), np.array([0.0, 0, 1, 1])
    perfect, reverse = np.array([4.0, 3, 2, 1]), np.array([1.0, 2, 3, 4])
    assert recovered_gap(perfect, strong, weak).tolist() == [0, 0.5, 1, 1, 1]
    assert apgr(recovered_gap(perfect, strong, weak)) == pytest.approx(0.75)
    assert apgr(recovered_gap(reverse, strong, weak)) == pytest.approx(0.25)
    assert cpt(recovered_gap(perfect, strong, weak), 0.5) == 0.25
    assert cpt(recovered_gap(perfect, strong, weak), 0.8) == 0.5
    assert two_model_metrics(reverse, strong, weak) == {
        "apgr": pytest.approx(0.25),
        "cpt_50%": 0.75,
        "cpt_80%": 1.0,
    }


def test_without_a_stronger_model_there_is_no_gap_to_recover():
    same = np.array([1.0, 0])
    assert np.isnan(apgr(recovered_gap(np.zeros(2), same, same)))
    assert np.isnan(cpt(recovered_gap(np.zeros(2), same, same), 0.5))


# Three prompts: gaps 0.3, 0.2, 0.1; the classifier prefers the second model on the last two.
DUELS = PairwisePredictions(
    np.array([0, 0, 0]), np.array([1, 1, 1]), np.array([0.3, 0.2, 0.1]), np.array([0.9, 0.4, 0.2])
)


def test_coverage_and_selection_accuracy_against_tau_are_as_by_hand():
    table = outcomes([[1, 0], [1, 0], [0, 1]])
    never, some, always = (threshold_point(table, DUELS, tau) for tau in (0.0, 0.15, 1.0))
    assert (never.coverage, never.selection_accuracy, never.accuracy) == (
        1,
        pytest.approx(2 / 3),
        never.accuracy,
    )
    assert (some.coverage, some.classifier_share) == (pytest.approx(2 / 3), pytest.approx(1 / 3))
    assert (some.selection_accuracy, some.accuracy, some.quality) == (1, 1, 1)
    assert always.coverage == 0
    assert np.isnan(always.selection_accuracy)
    assert always.accuracy == pytest.approx(2 / 3)


def test_taus_reach_from_nobody_asked_to_everybody():
    found = threshold_points(outcomes([[1, 0], [1, 0], [0, 1]]), DUELS)
    assert (found[0].coverage, found[-1].coverage) == (1, 0)
    lonely = PairwisePredictions(DUELS.first, DUELS.first, np.full(3, NAN), np.full(3, 0.5))
    assert threshold_points(outcomes([[1], [1], [0]]), lonely) == ()


def test_calibration_compares_means_in_bins_of_equal_count():
    found = calibration(np.array([0.1, 0.2, 0.8, 0.9]), np.array([0.0, 0, 1, 0]), bins=2)
    assert found.predicted == (pytest.approx(0.15), pytest.approx(0.85))
    assert found.observed == (0, 0.5)
    assert found.count == (2, 2)
    assert calibration(np.full(5, 0.5), np.ones(5)).count == (5,)
    assert calibration(np.zeros(0), np.zeros(0)).count == ()


def test_the_classifier_is_judged_on_pairs_with_unequal_scores():
    found = pairwise_calibration(outcomes([[1, 0], [1, 1], [0, 1]]), DUELS)
    assert sum(found.count) == 2


def test_the_confusion_counts_labels_against_detected_categories():
    found = confusion(["x", "x", "y", None], ["x", "y", None, "x"])
    assert found.labelled == ("x", "y")
    assert found.detected == ("(none)", "x", "y")
    assert found.counts == ((0, 1, 1), (1, 0, 0))
    assert found.accuracy == pytest.approx(1 / 3)
    assert confusion([None], ["x"]) is None


def test_expected_costs_are_a_line_over_the_length_and_never_the_cost_of_that_call():
    costs = np.array([[1.0, NAN], [2, NAN], [3, NAN], [8, NAN]])
    found = expected_costs(costs, [10, 20, 30, 20])
    assert found[1, 0] == found[3, 0] == pytest.approx(3.5)
    assert np.isnan(found[:, 1]).all()
    assert expected_costs(np.array([[1.0], [3.0]]), [5, 5]).tolist() == [[2], [2]]


@given(st.lists(st.integers(1, 1000), min_size=2, max_size=20), st.floats(0.1, 10))
def test_costs_that_follow_the_length_are_expected_as_they_are(lengths, price):
    costs = np.array(lengths, dtype=float)[:, None] * price
    if len(set(lengths)) > 1:
        np.testing.assert_allclose(expected_costs(costs, lengths), costs, rtol=1e-6, atol=1e-6)


def test_equal_prompts_have_one_number_whatever_their_case():
    rows = [
        LabelledPrompt(str(i), text, None, None, {"a": 1.0}) for i, text in enumerate(["x y", "X  Y", "z"])
    ]
    numbers = Outcomes.of(rows, ["a"]).prompt
    assert numbers[0] == numbers[1] != numbers[2]
