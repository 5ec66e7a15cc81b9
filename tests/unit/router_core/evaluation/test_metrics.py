"""Metrics of an evaluation on tables of a few prompts, against values computed by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from router_core.evaluation.metrics.accuracy import best_set_top1, fair_wins, paper_wins, strict_top1
from router_core.evaluation.metrics.bootstrap import Bootstrap, resampled_means
from router_core.evaluation.metrics.calibration import calibration, confusion, pairwise_calibration
from router_core.evaluation.metrics.gap_recovered import apgr, cpt, recovered_gap, two_model_metrics
from router_core.evaluation.metrics.threshold_sweep import threshold_point, threshold_points
from router_core.evaluation.pairwise_predictions import PairwisePredictions
from tests.support.outcomes import NAN, make_outcomes

# Four prompts, three models: a single best model, a tie of two, a tie of all, and one model not judged.
OUTCOMES = make_outcomes([[1, 0, 0], [1, 1, 0], [0, 0, 0], [0.5, NAN, 1]])


def test_strict_top1_counts_prompts_with_a_single_best_model_only():
    np.testing.assert_array_equal(strict_top1(OUTCOMES), [[1, 0, 0], [NAN] * 3, [NAN] * 3, [0, NAN, 1]])


def test_best_set_top1_counts_every_model_with_the_best_score():
    np.testing.assert_array_equal(best_set_top1(OUTCOMES), [[1, 0, 0], [1, 1, 0], [1, 1, 1], [0, NAN, 1]])


def test_a_paper_win_is_a_half_for_the_same_model_and_0_for_a_tie():
    wins = paper_wins(OUTCOMES, 0)
    np.testing.assert_array_equal(wins, [[0.5, 0, 0], [0.5, 0, 0], [0.5, 0, 0], [0.5, NAN, 1]])


def test_a_fair_win_is_a_half_for_every_tie():
    wins = fair_wins(OUTCOMES, 0)
    np.testing.assert_array_equal(wins, [[0.5, 0, 0], [0.5, 0.5, 0], [0.5, 0.5, 0.5], [0.5, NAN, 1]])


@given(arrays(float, st.tuples(st.integers(1, 20), st.just(3)), elements=st.sampled_from([0.0, 0.5, 1.0])))
def test_fair_wins_of_two_models_sum_to_1_and_are_never_below_paper_wins(scores):
    outcomes = make_outcomes(scores)
    for a, b in [(0, 1), (1, 2), (2, 0)]:
        np.testing.assert_array_equal(fair_wins(outcomes, a)[:, b] + fair_wins(outcomes, b)[:, a], 1)
        assert (fair_wins(outcomes, a) >= paper_wins(outcomes, a)).all()


def test_the_error_of_a_mean_is_that_of_the_formula_and_the_same_for_the_same_seed():
    values = np.random.default_rng(0).normal(size=500)
    estimates = []
    for _ in range(2):
        bootstrap = Bootstrap(np.arange(500), 3)
        estimates.append(bootstrap.mean(bootstrap.add(values)))
    assert estimates[0] == estimates[1]
    assert estimates[0].error == pytest.approx(values.std(ddof=1) / np.sqrt(500), rel=0.1)


def test_rows_of_the_same_prompt_are_drawn_together():
    values = np.repeat(np.random.default_rng(0).normal(size=100), 9)
    bootstrap = Bootstrap(np.repeat(np.arange(100), 9))
    assert bootstrap.mean(bootstrap.add(values)).error == pytest.approx(values.std() / np.sqrt(100), rel=0.15)


def test_means_are_over_known_values_and_a_ratio_to_0_is_unknown():
    means = resampled_means(np.array([[1, NAN], [3, NAN]]), np.arange(2), replicates=5, seed=0)
    assert means[0, 0] == 2
    assert np.isnan(means[:, 1]).all()
    bootstrap = Bootstrap(np.arange(3))
    ones, zeros = bootstrap.add(np.ones(3)), bootstrap.add(np.zeros(3))
    assert np.isnan(bootstrap.ratio(ones, zeros).value)


def test_a_constant_paired_difference_has_no_error():
    values = np.random.default_rng(0).normal(size=50)
    bootstrap = Bootstrap(np.arange(50))
    column = bootstrap.add((values + 1) - values)
    assert bootstrap.mean(column).error == pytest.approx(0)


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


# Three prompts with gaps 0.3, 0.2 and 0.1; the classifier prefers the second model on the last two.
PAIRWISE = PairwisePredictions(
    np.array([0, 0, 0]), np.array([1, 1, 1]), np.array([0.3, 0.2, 0.1]), np.array([0.9, 0.4, 0.2])
)


def test_coverage_and_selection_accuracy_against_tau_are_those_computed_by_hand():
    outcomes = make_outcomes([[1, 0], [1, 0], [0, 1]])
    never, sometimes, always = (threshold_point(outcomes, PAIRWISE, tau) for tau in (0.0, 0.15, 1.0))
    assert (never.coverage, never.selection_accuracy) == (1, pytest.approx(2 / 3))
    assert (sometimes.coverage, sometimes.classifier_share) == (pytest.approx(2 / 3), pytest.approx(1 / 3))
    assert (sometimes.selection_accuracy, sometimes.accuracy, sometimes.quality) == (1, 1, 1)
    assert always.coverage == 0
    assert np.isnan(always.selection_accuracy)
    assert always.accuracy == pytest.approx(2 / 3)


def test_the_thresholds_reach_from_no_prompt_to_every_prompt():
    thresholds = threshold_points(make_outcomes([[1, 0], [1, 0], [0, 1]]), PAIRWISE)
    assert (thresholds[0].coverage, thresholds[-1].coverage) == (1, 0)


def test_a_single_model_has_no_thresholds():
    one_model = PairwisePredictions(PAIRWISE.first, PAIRWISE.first, np.full(3, NAN), np.full(3, 0.5))
    assert threshold_points(make_outcomes([[1], [1], [0]]), one_model) == ()


def test_calibration_compares_means_in_bins_of_equal_count():
    means = calibration(np.array([0.1, 0.2, 0.8, 0.9]), np.array([0.0, 0, 1, 0]), bins=2)
    assert means.predicted == (pytest.approx(0.15), pytest.approx(0.85))
    assert means.observed == (0, 0.5)
    assert means.count == (2, 2)
    assert calibration(np.full(5, 0.5), np.ones(5)).count == (5,)
    assert calibration(np.zeros(0), np.zeros(0)).count == ()


def test_the_classifier_is_compared_on_pairs_with_unequal_scores():
    means = pairwise_calibration(make_outcomes([[1, 0], [1, 1], [0, 1]]), PAIRWISE)
    assert sum(means.count) == 2


def test_the_confusion_matrix_counts_labelled_prompts_by_detected_category():
    matrix = confusion(["x", "x", "y", None], ["x", "y", None, "x"])
    assert matrix.labelled == ("x", "y")
    assert matrix.detected == ("(none)", "x", "y")
    assert matrix.counts == ((0, 1, 1), (1, 0, 0))
    assert matrix.accuracy == pytest.approx(1 / 3)
    assert confusion([None], ["x"]) is None
