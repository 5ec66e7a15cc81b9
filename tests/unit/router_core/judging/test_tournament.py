"""Which pair comes next, and when it is enough."""

from collections.abc import Mapping
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from router_core.judging.tournament import all_pairs, condorcet_winner, next_pair, pair_of, score_against
from router_core.judging.verdicts import Pair

MODELS = ("a", "b", "c", "d")


def play(truth: Mapping[Pair, float], strengths: Mapping[str, float] | None = None) -> dict[Pair, float]:
    """Judge pair after pair until nothing is asked for."""
    values: dict[Pair, float] = {}
    while (pair := next_pair(MODELS, values, win_rates=strengths, salt="prompt")) is not None:
        assert pair not in values, "no pair twice"
        values[pair] = truth[pair]
    return values


def ranked(order: tuple[str, ...]) -> dict[Pair, float]:
    """The results when each model beats all that come after it."""
    return {pair: 1.0 if order.index(pair[0]) < order.index(pair[1]) else 0.0 for pair in all_pairs(MODELS)}


@given(st.dictionaries(st.sampled_from(all_pairs(MODELS)), st.sampled_from([0.0, 0.5, 1.0])))
def test_it_ends_with_the_winner_or_with_all_pairs_judged(some: dict[Pair, float]) -> None:
    values = play({pair: some.get(pair, 0.5) for pair in all_pairs(MODELS)})
    assert condorcet_winner(MODELS, values) is not None or len(values) == 6


def test_whoever_is_best_is_found_and_wins_over_all_others() -> None:
    for order in permutations(MODELS):
        values = play(ranked(order))
        assert condorcet_winner(MODELS, values) == order[0]
        assert all(score_against(order[0], other, values) == 1.0 for other in order[1:])
        assert 3 <= len(values) <= 6


def test_a_favourite_who_is_the_best_needs_each_other_model_once() -> None:
    strengths = {"a": 0.4, "b": 0.9, "c": 0.5, "d": 0.6}
    assert set(play(ranked(("b", "d", "a", "c")), strengths)) == {pair_of("b", other) for other in "acd"}


def test_the_closest_to_the_favourite_comes_first() -> None:
    assert next_pair(MODELS, {}, win_rates={"a": 0.2, "b": 0.9, "c": 0.5, "d": 0.8}) == ("b", "d")


def test_without_strengths_different_prompts_begin_with_different_pairs() -> None:
    assert len({next_pair(MODELS, {}, salt=str(number)) for number in range(100)}) == 6


def test_where_each_beats_another_in_a_ring_every_pair_is_judged() -> None:
    ring = {("a", "b"): 1.0, ("b", "c"): 1.0, ("a", "c"): 0.0}
    values: dict[Pair, float] = {}
    while (pair := next_pair("abc", values)) is not None:
        values[pair] = ring[pair]
    assert values == ring


def test_one_model_needs_no_judge() -> None:
    assert next_pair(["a"], {}) is None
