"""What verdicts add up to: the paper's score, whatever the order, the names, the ties and what is missing."""

from itertools import combinations, permutations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from router_core.judging.dawid_skene import fit, robust_pair_scores
from router_core.judging.scores import mean_pair_scores, prompt_scores
from router_core.judging.tournament import all_pairs, pair_of
from router_core.judging.verdicts import Judgement, Pair, Verdict

MODELS = ("a", "b", "c", "d")
VERDICTS = st.sampled_from([None, *Verdict])
F, S, T = Verdict.FIRST, Verdict.SECOND, Verdict.TIE


@st.composite
def judgements(draw: st.DrawFn) -> list[Judgement]:
    """One prompt, some pairs, up to three judges, any verdicts, some missing."""
    longer = {pair: draw(st.sampled_from([-1, 0, 1])) for pair in combinations(MODELS, 2)}
    return [
        Judgement("p", judge, pair, draw(VERDICTS), draw(VERDICTS), longer[pair])
        for judge in ("j1", "j2", "j3")
        for pair in combinations(MODELS, 2)
        if draw(st.booleans())
    ]


@pytest.mark.parametrize(
    ("forward", "backward", "value", "flipped"),
    [
        (F, S, 1.0, False), (S, F, 0.0, False), (F, F, 0.5, True), (S, S, 0.5, True), (T, T, 0.5, None),
        (F, T, 0.5, None), (F, None, None, None), (F, Verdict.NONE, None, None), (None, None, None, None),
    ],
)  # fmt: skip
def test_a_verdict_counts_only_if_the_order_does_not_change_it(
    forward: Verdict | None, backward: Verdict | None, value: float | None, flipped: bool | None
) -> None:
    one = Judgement("p", "j", ("a", "b"), forward, backward)
    assert (one.value, one.flipped) == (value, flipped)


def test_the_score_is_the_papers_sum_normalised_over_the_prompts_models() -> None:
    values = {("a", "b"): 1.0, ("a", "c"): 0.5, ("b", "c"): 0.0}
    sums = {"a": 1.5, "b": 0.0, "c": 1.5}
    assert prompt_scores(values) == {model: found / 3 * 3 / 2 for model, found in sums.items()}


@given(judgements())
def test_scores_lie_between_0_and_1_and_add_up_to_half_their_number(found: list[Judgement]) -> None:
    for values in (mean_pair_scores(found), robust_pair_scores(found)):
        for pairs in values.values():
            result = prompt_scores(pairs)
            assert set(result) == {model for pair in pairs for model in pair}
            assert sum(result.values()) == pytest.approx(len(result) / 2)
            assert all(-1e-9 <= score <= 1 + 1e-9 for score in result.values())


@given(judgements(), st.randoms(use_true_random=False))
def test_the_order_of_verdicts_changes_nothing(found: list[Judgement], random: object) -> None:
    shuffled = list(found)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert mean_pair_scores(shuffled) == mean_pair_scores(found)
    once, again = robust_pair_scores(found), robust_pair_scores(shuffled)
    assert {p: pytest.approx(v) for p, v in once.items()} == again


@given(judgements(), st.sampled_from(list(permutations(MODELS))))
def test_renaming_the_models_renames_the_scores(found: list[Judgement], names: tuple[str, ...]) -> None:
    to = dict(zip(MODELS, names, strict=True))
    assume(any(one.value is not None for one in found))
    for value_of in (mean_pair_scores, robust_pair_scores):
        before, after = value_of(found)["p"], value_of([renamed(one, to) for one in found])["p"]
        # Scores, not pairs: a renamed pair may stand the other way round.
        expected = {to[model]: score for model, score in prompt_scores(before).items()}
        assert prompt_scores(after) == pytest.approx(expected, abs=1e-6)


def renamed(one: Judgement, to: dict[str, str]) -> Judgement:
    left, right = (to[model] for model in one.pair)
    if left < right:
        return Judgement("p", one.judge, (left, right), one.forward, one.backward, one.longer)
    return Judgement("p", one.judge, (right, left), one.backward, one.forward, -one.longer)


@given(st.lists(st.sampled_from(all_pairs(MODELS)), min_size=1, unique=True))
def test_all_ties_make_all_models_equal(pairs: list[Pair]) -> None:
    assert set(prompt_scores(dict.fromkeys(pairs, 0.5)).values()) == {0.5}


@given(judgements())
def test_a_judge_who_says_nothing_changes_nothing(found: list[Judgement]) -> None:
    silent = [Judgement("p", "mute", pair, Verdict.NONE, F) for pair in combinations(MODELS, 2)]
    assert mean_pair_scores([*found, *silent]) == mean_pair_scores(found)
    assert robust_pair_scores([*found, *silent]) == robust_pair_scores(found)


@given(st.permutations(MODELS))
def test_pairs_that_were_not_judged_count_by_what_both_got_against_the_winner(order: list[str]) -> None:
    winner, level, *losers = order
    values = {pair_of(winner, loser): 1.0 if winner < loser else 0.0 for loser in losers}
    values[pair_of(winner, level)] = 0.5
    found = prompt_scores(values)
    assert found[winner] == found[level] == pytest.approx(2.5 / 3)
    assert [found[loser] for loser in losers] == pytest.approx([0.5 / 3] * 2)


def test_no_verdicts_are_no_scores() -> None:
    assert (prompt_scores({}), mean_pair_scores([]), robust_pair_scores([])) == ({}, {}, {})
    assert fit([]).judges == ()
