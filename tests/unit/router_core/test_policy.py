import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from router_core.decisions import Reason
from router_core.policy import choose, revise, top_two

NAN = float("nan")


def pick(predicted, costs, *, best_single=0, asked=False, **options):
    predicted, costs = np.array([predicted], dtype=float), np.array([costs], dtype=float)
    result = choose(predicted, costs=costs, best_single=best_single, asked=np.array([asked]), **options)
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


def test_the_guard_is_named_as_the_reason_unless_a_cheaper_model_was_wished_for():
    assert pick([0.6, 0.5], [5, 1], held=True)[:2] == (0, Reason.GUARD_BEST_SINGLE)
    assert pick([0.6, 0.5], [5, 1], held=True, quality_floor=0.2)[:2] == (1, Reason.CHEAPER_NOT_WORSE)


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


def test_a_decision_of_the_classifier_is_named_as_the_reason():
    assert pick([0.6, 0.5], [1, 1], asked=True)[1] == Reason.FALLBACK_CLASSIFIER


scores = arrays(np.float64, (4, 5), elements=st.floats(0, 1, width=16))
prices = arrays(np.float64, 5, elements=st.floats(0.25, 9, width=16))
policies = st.sampled_from(["quality", "saving", "cargo"])


@given(scores, prices, policies)
def test_a_ranking_holds_every_model_once_and_starts_with_the_choice(predicted, price, policy):
    result = choose(
        predicted,
        costs=np.tile(price, (4, 1)),
        best_single=0,
        asked=np.zeros(4, dtype=bool),
        policy=policy,
    )
    assert (np.sort(result.ranking, axis=1) == np.arange(5)).all()
    assert (result.ranking[:, 0] == result.choice).all()


@given(scores, prices, st.integers(0, 4))
def test_raising_a_models_price_never_makes_it_chosen(predicted, price, model):
    asked = np.zeros(4, dtype=bool)
    before = choose(predicted, costs=np.tile(price, (4, 1)), best_single=0, asked=asked).choice
    dearer = price + np.eye(5)[model]
    after = choose(predicted, costs=np.tile(dearer, (4, 1)), best_single=0, asked=asked).choice
    assert not ((after == model) & (before != model)).any()


@given(scores, prices)
def test_saving_never_predicts_below_the_best_single_model(predicted, price):
    result = choose(predicted, costs=np.tile(price, (4, 1)), best_single=2, asked=np.zeros(4, dtype=bool))
    assert (predicted[np.arange(4), result.choice] >= predicted[:, 2] - 1e-6).all()


@pytest.mark.parametrize("policy", ["quality", "saving", "cargo"])
def test_no_prompts_give_no_choices(policy):
    empty = np.zeros((0, 3))
    result = choose(empty, costs=empty, best_single=0, asked=np.zeros(0, dtype=bool), policy=policy)
    assert len(result.choice) == 0
    assert result.ranking.shape == (0, 3)
