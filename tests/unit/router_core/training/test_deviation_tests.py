import numpy as np
import pytest

from router_core.training.deviation_tests import (
    best_lower_bound,
    cheapest_noninferior,
    largest_noninferior,
    run_trial,
)

NAN = float("nan")
NOISE = np.tile([1.0, -1.0], 50)


def tried(setting, gains, *, cost=1.0, weights=None, unit=0.0):
    gains = np.asarray(gains, dtype=float)
    weights = np.ones(len(gains)) if weights is None else np.asarray(weights, dtype=float)
    return run_trial(
        setting, gains, np.zeros(len(gains)), np.full(len(gains), cost), weights, score_range=unit
    )


def test_only_gains_beyond_their_standard_error_pay():
    assert best_lower_bound([tried(0.0, NOISE), tried(0.1, NOISE + 0.05)]) is None
    assert best_lower_bound([tried(0.0, NOISE), tried(0.1, NOISE + 0.2)]) == 0.1


def test_of_what_pays_the_surest_is_taken():
    wild, sure = tried(0.0, NOISE * 4 + 0.5), tried(0.1, NOISE / 4 + 0.4)
    assert best_lower_bound([wild, sure]) == 0.1


def test_no_trials_let_nothing_through():
    assert best_lower_bound([]) is None
    assert cheapest_noninferior([], cost=1.0) is None
    assert largest_noninferior([]) is None


def test_money_is_saved_only_where_probably_nothing_is_lost():
    losing, unsure = tried(0.0, NOISE - 0.1, cost=0.1), tried(0.01, NOISE, cost=0.2)
    cheap, dear = tried(0.02, NOISE + 0.2, cost=0.4), tried(0.04, NOISE + 0.2, cost=0.9)
    assert cheapest_noninferior([losing, unsure, dear, cheap], cost=1.0) == 0.02
    assert cheapest_noninferior([losing, unsure], cost=1.0) is None


def test_what_saves_nothing_is_no_saving():
    assert cheapest_noninferior([tried(0.0, NOISE + 0.1, cost=1.2)], cost=1.0) is None


def test_the_largest_cost_weight_that_probably_loses_nothing_is_found():
    trials = [tried(0.1, NOISE + 0.3), tried(0.2, NOISE + 0.2), tried(0.3, NOISE + 0.01)]
    assert largest_noninferior(trials) == 0.2
    assert largest_noninferior(trials[2:]) is None


def test_unjudged_choices_are_left_out_of_a_trial():
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
    assert not tried(0.0, lucky, unit=1.0).is_significant(1.0)
