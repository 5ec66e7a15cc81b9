"""The king-of-the-hill tournament: which pair is judged next, and when it ends."""

from collections.abc import Mapping
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from router_core.judging.tournament import all_pairs, condorcet_winner, next_pair, pair_of, score_against
from router_core.judging.verdicts import Pair

MODELS = ("a", "b", "c", "d")


def play(
    true_scores: Mapping[Pair, float], win_rates: Mapping[str, float] | None = None
) -> dict[Pair, float]:
    """Return the scores of the pairs that are judged until the tournament has ended."""
    scores: dict[Pair, float] = {}
    while (pair := next_pair(MODELS, scores, win_rates=win_rates, salt="prompt")) is not None:
        assert pair not in scores, "no pair is judged twice"
        scores[pair] = true_scores[pair]
    return scores


def ranked(order: tuple[str, ...]) -> dict[Pair, float]:
    """Return the scores of all pairs when each model beats all that come after it."""
    return {pair: 1.0 if order.index(pair[0]) < order.index(pair[1]) else 0.0 for pair in all_pairs(MODELS)}


@given(st.dictionaries(st.sampled_from(all_pairs(MODELS)), st.sampled_from([0.0, 0.5, 1.0])))
def test_it_ends_with_a_condorcet_winner_or_with_all_pairs_judged(some: dict[Pair, float]) -> None:
    scores = play({pair: some.get(pair, 0.5) for pair in all_pairs(MODELS)})
    assert condorcet_winner(MODELS, scores) is not None or len(scores) == 6


def test_the_best_model_is_found_and_has_won_against_all_others() -> None:
    for order in permutations(MODELS):
        scores = play(ranked(order))
        assert condorcet_winner(MODELS, scores) == order[0]
        against = {other: score_against(order[0], other, scores) for other in order[1:]}
        assert against == dict.fromkeys(order[1:], 1.0)
        assert 3 <= len(scores) <= 6


def test_a_first_king_that_is_the_best_model_meets_each_other_model_once() -> None:
    win_rates = {"a": 0.4, "b": 0.9, "c": 0.5, "d": 0.6}
    assert set(play(ranked(("b", "d", "a", "c")), win_rates)) == {pair_of("b", other) for other in "acd"}


def test_the_king_meets_the_model_of_the_most_similar_strength_first() -> None:
    assert next_pair(MODELS, {}, win_rates={"a": 0.2, "b": 0.9, "c": 0.5, "d": 0.8}) == ("b", "d")


def test_without_win_rates_different_prompts_begin_with_different_pairs() -> None:
    assert len({next_pair(MODELS, {}, salt=str(number)) for number in range(100)}) == 6


def test_without_a_condorcet_winner_every_pair_is_judged() -> None:
    cycle = {("a", "b"): 1.0, ("b", "c"): 1.0, ("a", "c"): 0.0}
    scores: dict[Pair, float] = {}
    while (pair := next_pair("abc", scores)) is not None:
        scores[pair] = cycle[pair]
    assert scores == cycle


def test_a_single_model_has_no_pair() -> None:
    assert next_pair(["a"], {}) is None
