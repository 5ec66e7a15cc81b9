"""Epsilon-greedy exploration and its propensities."""

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router_core.policy.exploration import draw_probabilities, explore

RANKING = ("best", "second", "third", "last")


def test_a_share_of_epsilon_is_drawn_uniformly_and_the_rest_is_the_routers_choice() -> None:
    explored = [explore(RANKING, epsilon=0.4, key=str(number)) for number in range(4000)]
    counts = Counter(one.ranking[0] for one in explored)
    assert counts["best"] == pytest.approx(0.7 * 4000, rel=0.05)
    others = {model: counts[model] for model in RANKING[1:]}
    assert others == pytest.approx(dict.fromkeys(others, 400), rel=0.15)
    assert sum(one.drawn for one in explored) == pytest.approx(1600, rel=0.06)


def test_the_propensity_is_the_probability_of_the_choice() -> None:
    for number in range(200):
        one = explore(RANKING, epsilon=0.4, key=str(number))
        assert one.propensity == pytest.approx(0.7 if one.ranking[0] == "best" else 0.1)


def test_inverse_propensities_estimate_every_models_mean_without_bias() -> None:
    mean_score = {"best": 0.9, "second": 0.5, "third": 0.3, "last": 0.1}
    explored = [explore(RANKING, epsilon=0.5, key=str(number)) for number in range(20_000)]
    for model in RANKING:
        weighted = sum(mean_score[model] / one.propensity for one in explored if one.ranking[0] == model)
        assert weighted / len(explored) == pytest.approx(mean_score[model], rel=0.06)


def test_the_same_request_is_explored_alike_again() -> None:
    assert explore(RANKING, epsilon=0.5, key="7") == explore(RANKING, epsilon=0.5, key="7")


def test_without_exploration_the_choice_is_certain() -> None:
    one = explore(RANKING, epsilon=0.0, key="x")
    assert (one.ranking, one.propensity, one.drawn) == (RANKING, 1.0, False)


def test_the_ranking_keeps_every_model_once() -> None:
    rankings = [explore(RANKING, epsilon=1.0, key=str(n)).ranking for n in range(50)]
    assert [ranking for ranking in rankings if sorted(ranking) != sorted(RANKING)] == []


def test_an_epsilon_that_is_no_probability_is_refused() -> None:
    with pytest.raises(ValueError, match="epsilon"):
        explore(RANKING, epsilon=1.5, key="x")


def test_a_model_without_labels_is_drawn_most_often_with_the_right_propensity() -> None:
    labels = {"best": 500, "second": 500, "third": 500}
    explored = [explore(RANKING, epsilon=0.5, key=str(number), labels=labels) for number in range(4000)]
    counts = Counter(one.ranking[0] for one in explored if one.drawn)
    assert counts["last"] > 0.5 * counts.total()
    for model in RANKING[1:]:
        chosen = [one for one in explored if one.ranking[0] == model]
        assert len(chosen) / len(explored) == pytest.approx(chosen[0].propensity, abs=0.03)
    total = sum({one.ranking[0]: one.propensity for one in explored}.values())
    assert total == pytest.approx(1.0)


@given(st.dictionaries(st.sampled_from(RANKING), st.integers(0, 10**6)))
def test_probabilities_sum_to_one_none_is_small_and_fewer_labels_never_mean_fewer_draws(
    labels: dict[str, int],
) -> None:
    probabilities = draw_probabilities(RANKING, labels)
    assert sum(probabilities.values()) == pytest.approx(1.0)
    assert min(probabilities.values()) >= 0.5 / len(RANKING)
    by_labels = sorted(RANKING, key=lambda model: labels.get(model, 0))
    rising = [(a, b) for a, b in pairwise(by_labels) if probabilities[a] < probabilities[b] - 1e-12]
    assert rising == [], probabilities
