"""Label scores from verdicts: invariant to order and names, with ties and missing verdicts."""

from dataclasses import replace
from itertools import combinations, permutations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from router_core.judging.dawid_skene import fit, robust_pair_scores
from router_core.judging.scores import mean_pair_scores, prompt_scores, with_checks
from router_core.judging.tournament import all_pairs, pair_of
from router_core.judging.verdicts import Judgement, Pair, Verdict

MODELS = ("a", "b", "c", "d")
VERDICTS = st.sampled_from([None, *Verdict])
F, S, T = Verdict.FIRST, Verdict.SECOND, Verdict.TIE


@st.composite
def judgements(draw: st.DrawFn) -> list[Judgement]:
    """Draw judgements of one prompt: some pairs, up to three judges, any verdicts, some missing."""
    longer = {pair: draw(st.sampled_from([-1, 0, 1])) for pair in combinations(MODELS, 2)}
    return [
        Judgement("p", judge, pair, draw(VERDICTS), draw(VERDICTS), longer[pair])
        for judge in ("j1", "j2", "j3")
        for pair in combinations(MODELS, 2)
        if draw(st.booleans())
    ]


@pytest.mark.parametrize(
    ("forward", "backward", "score", "flipped"),
    [
        (F, S, 1.0, False), (S, F, 0.0, False), (F, F, 0.5, True), (S, S, 0.5, True), (T, T, 0.5, None),
        (F, T, 0.5, None), (F, None, None, None), (F, Verdict.NONE, None, None), (None, None, None, None),
    ],
)  # fmt: skip
def test_a_verdict_counts_only_if_the_order_does_not_change_it(
    forward: Verdict | None, backward: Verdict | None, score: float | None, flipped: bool | None
) -> None:
    judgement = Judgement("p", "j", ("a", "b"), forward, backward)
    assert (judgement.score, judgement.flipped) == (score, flipped)


def test_the_score_is_the_papers_sum_normalised_over_the_prompts_models() -> None:
    pair_scores = {("a", "b"): 1.0, ("a", "c"): 0.5, ("b", "c"): 0.0}
    sums = {"a": 1.5, "b": 0.0, "c": 1.5}
    assert prompt_scores(pair_scores) == {model: total / 3 * 3 / 2 for model, total in sums.items()}


@given(judgements())
def test_scores_are_between_0_and_1_and_sum_to_half_their_number(drawn: list[Judgement]) -> None:
    for by_prompt in (mean_pair_scores(drawn), robust_pair_scores(drawn)):
        for pair_scores in by_prompt.values():
            scores = prompt_scores(pair_scores)
            assert set(scores) == {model for pair in pair_scores for model in pair}
            assert sum(scores.values()) == pytest.approx(len(scores) / 2)
            assert {model: s for model, s in scores.items() if not -1e-9 <= s <= 1 + 1e-9} == {}


@given(judgements(), st.randoms(use_true_random=False))
def test_the_order_of_judgements_changes_nothing(drawn: list[Judgement], random: object) -> None:
    shuffled = list(drawn)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert mean_pair_scores(shuffled) == mean_pair_scores(drawn)
    expected, actual = robust_pair_scores(drawn), robust_pair_scores(shuffled)
    assert {prompt: pytest.approx(scores) for prompt, scores in expected.items()} == actual


@given(judgements(), st.sampled_from(list(permutations(MODELS))))
def test_renaming_the_models_renames_the_scores(drawn: list[Judgement], names: tuple[str, ...]) -> None:
    new_name = dict(zip(MODELS, names, strict=True))
    assume(any(judgement.score is not None for judgement in drawn))
    renamed = [with_new_names(judgement, new_name) for judgement in drawn]
    for pair_scores_of in (mean_pair_scores, robust_pair_scores):
        before, after = pair_scores_of(drawn)["p"], pair_scores_of(renamed)["p"]
        # Scores of models are compared, because a renamed pair may have the other order.
        expected = {new_name[model]: score for model, score in prompt_scores(before).items()}
        assert prompt_scores(after) == pytest.approx(expected, abs=1e-6)


def with_new_names(judgement: Judgement, new_name: dict[str, str]) -> Judgement:
    left, right = (new_name[model] for model in judgement.pair)
    if left < right:
        return replace(judgement, pair=(left, right))
    return replace(
        judgement,
        pair=(right, left),
        forward=judgement.backward,
        backward=judgement.forward,
        longer=-judgement.longer,
    )


@given(st.lists(st.sampled_from(all_pairs(MODELS)), min_size=1, unique=True))
def test_all_ties_make_all_models_equal(pairs: list[Pair]) -> None:
    assert set(prompt_scores(dict.fromkeys(pairs, 0.5)).values()) == {0.5}


@given(judgements())
def test_a_judge_without_a_valid_pair_of_verdicts_changes_nothing(drawn: list[Judgement]) -> None:
    invalid = [Judgement("p", "invalid", pair, Verdict.NONE, F) for pair in combinations(MODELS, 2)]
    assert mean_pair_scores([*drawn, *invalid]) == mean_pair_scores(drawn)
    assert robust_pair_scores([*drawn, *invalid]) == robust_pair_scores(drawn)


@given(st.permutations(MODELS))
def test_a_pair_that_was_not_judged_is_estimated_from_the_common_opponent(order: list[str]) -> None:
    winner, equal, *losers = order
    pair_scores = {pair_of(winner, loser): 1.0 if winner < loser else 0.0 for loser in losers}
    pair_scores[pair_of(winner, equal)] = 0.5
    scores = prompt_scores(pair_scores)
    assert scores[winner] == scores[equal] == pytest.approx(2.5 / 3)
    assert [scores[loser] for loser in losers] == pytest.approx([0.5 / 3] * 2)


def test_without_judgements_there_are_no_scores() -> None:
    assert (prompt_scores({}), mean_pair_scores([]), robust_pair_scores([])) == ({}, {}, {})
    assert fit([]).judges == ()


def test_an_answer_that_fits_beats_one_that_does_not_and_judges_decide_the_rest() -> None:
    judged = {("a", "b"): 0.25, ("a", "c"): 1.0, ("b", "c"): 1.0}
    fits = {"c": True, "a": True, "b": False}
    assert with_checks(judged, fits) == {("a", "b"): 1.0, ("a", "c"): 1.0, ("b", "c"): 0.0}
    assert with_checks(judged, {"a": True, "b": True}) == judged
    assert with_checks(judged, {"a": False, "b": False}) == judged
    assert with_checks({}, {"b": True, "a": False}) == {("a", "b"): 0.0}
    assert with_checks({}, {"a": True}) == {}
