"""The choice of a model from predicted scores and costs."""

import numpy as np
import pytest

from router_core.decisions import Reason
from router_core.policy.choice import choose, revise, top_two
from router_core.policy.preferences import POLICIES, RoutingPreferences

NAN = float("nan")


def decided(predicted, price, *, best_single=0, margin=0.0, score_range=1.0, **preferences):
    """Choose for each row of [n, m] at the same prices, without the pairwise classifier."""
    preferences = {"policy": "saving", "budget": 1000.0, **preferences}
    return choose(
        predicted,
        costs=np.broadcast_to(price, predicted.shape),
        best_single=best_single,
        decided_pairwise=np.zeros(len(predicted), dtype=bool),
        preferences=RoutingPreferences(**preferences),
        margin=margin,
        score_range=score_range,
    )


def pick(predicted, costs, *, best_single=0, pairwise=False, margin=0.0, score_range=1.0, **preferences):
    predicted, costs = np.array([predicted], dtype=float), np.array([costs], dtype=float)
    result = choose(
        predicted,
        costs=costs,
        best_single=best_single,
        decided_pairwise=np.array([pairwise]),
        preferences=RoutingPreferences(**preferences),
        margin=margin,
        score_range=score_range,
    )
    return int(result.choice[0]), Reason(result.reason[0]), result.ranking[0].tolist()


def test_quality_takes_the_highest_score_whatever_it_costs():
    assert pick([0.5, 0.9, 0.6], [1, 9, 1], policy="quality")[:2] == (1, Reason.PREDICTED_BEST)


def test_at_equal_predicted_quality_the_cheaper_model_wins():
    assert pick([0.9, 0.9, 0.6], [5, 2, 1], policy="quality")[0] == 1


def test_saving_takes_the_cheapest_model_not_below_the_best_single_model():
    choice, reason, ranking = pick([0.6, 0.9, 0.7, 0.5], [5, 4, 3, 1])
    assert (choice, reason) == (2, Reason.CHEAPER_NOT_WORSE)
    assert ranking == [2, 1, 0, 3]


def test_a_quality_floor_lets_a_slightly_worse_cheaper_model_through():
    assert pick([0.60, 0.58], [5, 1])[0] == 0
    assert pick([0.60, 0.58], [5, 1], quality_floor=0.05)[0] == 1


def test_cargo_ignores_prices():
    assert pick([0.60, 0.61], [1, 100], policy="cargo")[0] == 1


def test_a_model_without_a_prediction_is_chosen_only_when_nothing_else_is_left():
    assert pick([NAN, 0.1], [0, 9], best_single=1)[::2] == (1, [1, 0])
    assert pick([NAN, NAN], [3, 2])[:2] == (1, Reason.DEFAULT_MODEL)


def test_an_unknown_price_counts_as_the_highest():
    assert pick([0.6, 0.6], [NAN, 7])[0] == 1


def test_the_guard_is_the_reason_unless_the_user_accepts_lower_quality():
    assert pick([0.6, 0.5], [5, 1], margin=None)[:2] == (0, Reason.GUARD_BEST_SINGLE)
    assert pick([0.6, 0.5], [5, 1], margin=None, quality_floor=0.2)[:2] == (1, Reason.CHEAPER_NOT_WORSE)


def test_the_gap_is_that_of_the_two_highest_known_scores():
    top = top_two(np.array([[0.2, NAN, 0.7, 0.6], [NAN, NAN, 0.1, NAN]]))
    assert (top.first[0], top.second[0]) == (2, 3)
    np.testing.assert_allclose(top.gap, [0.1, NAN], rtol=1e-5)
    assert top.close(0.2).tolist() == [True, False]


def test_the_gap_of_a_single_model_is_undefined_and_never_close():
    assert not top_two(np.array([[0.4]])).close(10.0).any()


def test_the_classifier_swaps_the_two_highest_scores_only_where_it_prefers_the_second():
    predicted = np.array([[0.3, 0.5, 0.4]] * 3)
    revised = revise(predicted, top_two(predicted), np.array([0.2, 0.8, NAN]))
    np.testing.assert_allclose(revised, [[0.3, 0.4, 0.5], [0.3, 0.5, 0.4], [0.3, 0.5, 0.4]])


def test_a_decision_of_the_classifier_is_the_reason():
    assert pick([0.6, 0.5], [1, 1], pairwise=True)[1] == Reason.FALLBACK_CLASSIFIER


def test_another_models_score_must_exceed_that_of_the_best_single_one_by_the_margin():
    assert pick([0.6, 0.65], [1, 1], policy="quality", margin=0.1)[:2] == (0, Reason.GUARD_BEST_SINGLE)
    assert pick([0.6, 0.75], [1, 1], policy="quality", margin=0.1)[:2] == (1, Reason.PREDICTED_BEST)
    assert pick([0.6, 0.65], [5, 1], margin=0.1)[0] == 0
    assert pick([0.6, 0.75], [5, 1], margin=0.1)[0] == 1


def test_the_margin_is_a_share_of_the_scores_range():
    assert pick([6, 6.5], [1, 1], policy="quality", margin=0.1, score_range=10)[0] == 0
    assert pick([6, 7.5], [1, 1], policy="quality", margin=0.1, score_range=10)[0] == 1


def test_a_cost_weight_trades_the_scores_range_for_the_cost_of_the_best_single_model():
    assert pick([0.60, 0.50], [10, 1], policy="weighted", cost_weight=0.1)[0] == 0
    assert pick([0.60, 0.50], [10, 1], policy="weighted", cost_weight=0.12)[0] == 1
    assert pick([6.0, 5.0], [10, 1], policy="weighted", cost_weight=0.12, score_range=10)[0] == 1


@pytest.mark.parametrize(
    ("preferences", "trades"),
    [
        (RoutingPreferences(policy="weighted", cost_weight=0.0), False),
        (RoutingPreferences(policy="weighted", cost_weight=0.01), True),
        (RoutingPreferences(policy="saving", quality_floor=0.0), False),
        (RoutingPreferences(policy="saving", quality_floor=0.01), True),
        (RoutingPreferences(policy="saving", cost_weight=0.5), False),
        (RoutingPreferences(policy="quality", quality_floor=0.5, cost_weight=0.5), False),
        (RoutingPreferences(policy="budget", budget=0.0), True),
    ],
)
def test_quality_is_traded_by_the_policys_own_parameter_above_0_or_by_a_budget(
    preferences: RoutingPreferences, trades: bool
):
    assert preferences.trades_quality_for_cost is trades


def test_without_a_weight_weighted_is_quality():
    assert pick([0.6, 0.9, 0.6], [1, 9, 1], policy="weighted")[0] == 1


@pytest.mark.parametrize("costs", [[0, 0], [NAN, NAN], [0, 5], [NAN, 5]])
def test_free_and_unknown_prices_break_no_policy(costs):
    for policy in POLICIES:
        assert pick([0.6, 0.5], costs, policy=policy, cost_weight=0.1, budget=1.0)[0] in (0, 1)


def test_a_budget_goes_to_the_prompts_that_gain_most_by_it():
    predicted = np.array([[0.9, 0.1], [0.9, 0.5], [0.9, 0.85], [0.9, 0.9]])
    # Four prompts, 1 dollar each on the cheap model: 6 dollars are one upgrade to the model of 3 dollars.
    assert decided(predicted, [3.0, 1.0], policy="budget", budget=1500.0).choice.tolist() == [0, 1, 1, 1]
    assert decided(predicted, [3.0, 1.0], policy="budget", budget=2000.0).choice.tolist() == [0, 0, 1, 1]
    assert decided(predicted, [3.0, 1.0], policy="budget", budget=9000.0).choice.tolist() == [0, 0, 0, 1]


def test_a_budget_below_the_cheapest_models_takes_the_cheapest():
    assert decided(np.array([[0.9, 0.1]]), [3.0, 1.0], policy="budget", budget=0.0).choice.tolist() == [1]


def test_a_budget_is_spent_even_where_all_prompts_are_alike():
    predicted = np.tile([0.9, 0.1], (10, 1))
    chosen = decided(predicted, [3.0, 1.0], policy="budget", budget=2000.0, margin=None).choice
    assert (chosen == 0).sum() == 5


def test_invalid_preferences_are_refused():
    with pytest.raises(ValueError, match="unknown policy 'best'"):
        RoutingPreferences(policy="best")
    with pytest.raises(ValueError, match="needs a budget"):
        RoutingPreferences(policy="budget")


@pytest.mark.parametrize("policy", POLICIES)
def test_no_prompts_give_no_choices(policy):
    result = decided(np.zeros((0, 3)), [1.0, 2.0, 3.0], policy=policy)
    assert len(result.choice) == 0
    assert result.ranking.shape == (0, 3)
