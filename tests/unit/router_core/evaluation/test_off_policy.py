"""Off-policy estimates against known mean rewards."""

import numpy as np
import pytest

from router_core.errors import LabelsError
from router_core.evaluation.off_policy import LoggedData, compare_policies, estimate


def test_estimates_from_logged_choices_are_near_the_mean_reward_of_another_policy() -> None:
    random = np.random.default_rng(0)
    n, means = 20_000, np.array([0.3, 0.5, 0.8])
    propensities = np.array([0.6, 0.3, 0.1])
    logged = random.choice(3, size=n, p=propensities)
    rewards = means[logged] + random.normal(0, 0.1, n)
    for predicted in (np.tile(means, (n, 1)), np.full((n, 3), 0.9)):
        estimates = estimate(LoggedData(logged, rewards, propensities[logged], predicted), np.full(n, 2))
        for mean in (estimates.inverse_propensity, estimates.self_normalised, estimates.doubly_robust):
            assert abs(mean.value - 0.8) < 4 * mean.standard_error
    log = LoggedData(logged, rewards, propensities[logged], np.tile(means, (n, 1)))
    with_model = estimate(log, np.full(n, 2))
    assert with_model.doubly_robust.standard_error < with_model.inverse_propensity.standard_error / 3


def test_estimates_are_refused_without_propensities_or_exploration() -> None:
    logged, ones = np.zeros(3, dtype=np.int64), np.ones(3)
    predicted = np.zeros((3, 2))
    for propensities, message in ((np.array([1, np.nan, 1]), "no propensity"), (ones, "certain")):
        with pytest.raises(LabelsError, match=message):
            estimate(LoggedData(logged, ones, propensities, predicted), logged + 1)
    with pytest.raises(LabelsError, match="nothing to estimate"):
        estimate(LoggedData(logged[:0], ones[:0], ones[:0], predicted[:0]), logged[:0])


def test_the_gain_of_a_challenger_has_a_smaller_error_than_the_difference_of_two_estimates() -> None:
    random = np.random.default_rng(1)
    n, means = 4_000, np.array([0.3, 0.5, 0.8])
    propensities = np.array([0.6, 0.3, 0.1])
    logged = random.choice(3, size=n, p=propensities)
    rewards = means[logged] + random.normal(0, 0.1, n)
    log = LoggedData(logged, rewards, propensities[logged], np.tile(means, (n, 1)))
    champion, challenger = np.zeros(n, dtype=np.int64), np.where(np.arange(n) % 2, 2, 0)
    compared = compare_policies(log, champion, challenger)
    for gain in (compared.gain_inverse_propensity, compared.gain_doubly_robust):
        assert abs(gain.value - 0.25) < 4 * gain.standard_error
    errors = [policy.doubly_robust.standard_error for policy in (compared.champion, compared.challenger)]
    assert compared.gain_doubly_robust.standard_error < sum(errors)
    same = compare_policies(log, champion, champion)
    assert (same.gain_doubly_robust.value, same.gain_doubly_robust.standard_error) == (0, 0)
