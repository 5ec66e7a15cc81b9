import numpy as np
import pytest

from router_core.data.labelled_prompts import LabelledPrompt
from router_core.errors import LabelsError
from router_core.evaluation.off_policy import LoggedData, compare_policies, estimate
from router_core.evaluation.paired_comparison import compare


def row(number: int, category: str | None = None, **scores: float) -> LabelledPrompt:
    costs = {"cheap": 0.1, "dear": 1.0}
    return LabelledPrompt(f"r{number}", f"prompt {number}", category, None, scores, costs)


def test_the_gain_is_the_mean_difference_of_the_chosen_models_scores() -> None:
    rows = [
        row(n, "coding" if n % 2 else "reasoning", cheap=0.4, dear=0.4 + (n % 2) * 0.4) for n in range(200)
    ]
    found = compare(rows, ["cheap"] * 200, ["dear"] * 200)
    assert found is not None
    assert found.overall.gain == pytest.approx(0.2)
    assert found.overall.standard_error == pytest.approx(0.2 / 200**0.5, rel=0.1)
    assert (found.overall.champion_cost, found.overall.challenger_cost) == (
        pytest.approx(0.1),
        pytest.approx(1.0),
    )
    gains = {name: one.gain for name, one in found.by_category.items()}
    assert gains == {"coding": pytest.approx(0.4), "reasoning": pytest.approx(0)}


def test_prompts_without_the_score_of_a_chosen_model_are_left_out_and_counted() -> None:
    rows = [row(1, cheap=0.1, dear=0.9), row(2, cheap=0.5)]
    found = compare(rows, ["cheap", "cheap"], ["dear", "dear"])
    assert found is not None
    assert (found.overall.prompts, found.unscored) == (1, 1)
    assert compare(rows[1:], ["cheap"], ["dear"]) is None


def test_rows_of_one_prompt_are_one_piece_of_evidence() -> None:
    single = [row(n, cheap=0.0, dear=float(n % 2)) for n in range(50)]
    once, copied = (
        compare(single, ["cheap"] * 50, ["dear"] * 50),
        compare(single * 9, ["cheap"] * 450, ["dear"] * 450),
    )
    assert once is not None
    assert copied is not None
    assert copied.overall.standard_error == pytest.approx(once.overall.standard_error)


def test_estimates_from_logged_choices_find_the_value_of_another_policy() -> None:
    random = np.random.default_rng(0)
    n, means = 20_000, np.array([0.3, 0.5, 0.8])
    propensities = np.array([0.6, 0.3, 0.1])
    logged = random.choice(3, size=n, p=propensities)
    rewards = means[logged] + random.normal(0, 0.1, n)
    for predicted in (np.tile(means, (n, 1)), np.full((n, 3), 0.9)):
        found = estimate(LoggedData(logged, rewards, propensities[logged], predicted), np.full(n, 2))
        for one in (found.inverse_propensity, found.self_normalised, found.doubly_robust):
            assert abs(one.value - 0.8) < 4 * one.standard_error
    good = estimate(LoggedData(logged, rewards, propensities[logged], np.tile(means, (n, 1))), np.full(n, 2))
    assert good.doubly_robust.standard_error < good.inverse_propensity.standard_error / 3


def test_estimates_are_refused_without_propensities_or_exploration() -> None:
    logged, ones = np.zeros(3, dtype=np.int64), np.ones(3)
    predicted = np.zeros((3, 2))
    for propensities, words in ((np.array([1, np.nan, 1]), "no propensity"), (ones, "certain")):
        with pytest.raises(LabelsError, match=words):
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
    found = compare_policies(log, champion, challenger)
    for gain in (found.gain_inverse_propensity, found.gain_doubly_robust):
        assert abs(gain.value - 0.25) < 4 * gain.standard_error
    apart = [one.doubly_robust.standard_error for one in (found.champion, found.challenger)]
    assert found.gain_doubly_robust.standard_error < sum(apart)
    same = compare_policies(log, champion, champion)
    assert (same.gain_doubly_robust.value, same.gain_doubly_robust.standard_error) == (0, 0)
