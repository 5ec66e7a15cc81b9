"""Tests whether a deviation from the best single model is significant."""

import numpy as np
import pytest

from router_core.training.deviation_tests import (
    best_lower_bound,
    cheapest_significant,
    largest_significant,
    run_trial,
)

NAN = float("nan")
NOISE = np.tile([1.0, -1.0], 50)


def tried(setting, gains, *, cost=1.0, weights=None, score_range=0.0):
    gains = np.asarray(gains, dtype=float)
    weights = np.ones(len(gains)) if weights is None else np.asarray(weights, dtype=float)
    return run_trial(
        setting, gains, np.zeros(len(gains)), np.full(len(gains), cost), weights, score_range=score_range
    )


def test_only_gains_well_above_their_standard_error_are_significant():
    assert best_lower_bound([tried(0.0, NOISE), tried(0.1, NOISE + 0.05)]) is None
    assert best_lower_bound([tried(0.0, NOISE), tried(0.1, NOISE + 0.2)]) == 0.1


def test_of_significant_gains_the_one_with_the_highest_lower_bound_is_taken():
    noisy, steady = tried(0.0, NOISE * 4 + 0.5), tried(0.1, NOISE / 4 + 0.4)
    assert best_lower_bound([noisy, steady]) == 0.1


def test_without_trials_no_setting_is_chosen():
    assert best_lower_bound([]) is None
    assert cheapest_significant([], cost=1.0) is None
    assert largest_significant([]) is None


def test_a_cheaper_setting_is_taken_only_if_its_gain_is_significant():
    losing, unsure = tried(0.0, NOISE - 0.1, cost=0.1), tried(0.01, NOISE, cost=0.2)
    cheap, dear = tried(0.02, NOISE + 0.2, cost=0.4), tried(0.04, NOISE + 0.2, cost=0.9)
    assert cheapest_significant([losing, unsure, dear, cheap], cost=1.0) == 0.02
    assert cheapest_significant([losing, unsure], cost=1.0) is None


def test_a_setting_of_higher_cost_is_no_saving():
    assert cheapest_significant([tried(0.0, NOISE + 0.1, cost=1.2)], cost=1.0) is None


def test_the_largest_setting_of_significant_gain_is_taken():
    trials = [tried(0.1, NOISE + 0.3), tried(0.2, NOISE + 0.2), tried(0.3, NOISE + 0.01)]
    assert largest_significant(trials) == 0.2
    assert largest_significant(trials[2:]) is None


def test_choices_without_a_score_are_left_out_of_a_trial():
    result = tried(0.0, [1.0, NAN, 1.0])
    assert (result.gain, result.standard_error) == (1.0, 0.0)
    assert tried(0.0, [NAN, 1.0]).gain == 0


def test_with_equal_weights_the_error_is_that_of_a_mean():
    gains = np.random.default_rng(0).normal(size=30)
    result = tried(0.0, gains, weights=np.full(30, 2.0))
    assert result.standard_error == pytest.approx(gains.std(ddof=1) / np.sqrt(30))


def test_a_prompt_of_double_weight_counts_twice():
    assert tried(0.0, [1.0, -1.0, -1.0], weights=[2, 1, 1]).gain == pytest.approx(0)


def test_a_few_lucky_prompts_among_many_are_no_evidence():
    lucky = np.zeros(1000)
    lucky[:2] = 1.0
    assert tried(0.0, lucky).is_significant(1.0)
    assert not tried(0.0, lucky, score_range=1.0).is_significant(1.0)
