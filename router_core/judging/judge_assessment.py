"""The assessment of LLM judges by their own verdicts and by those of the others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from router_core.judging import judge_findings
from router_core.judging.agreement import (
    PreferenceBias,
    Proportion,
    cohen_kappa,
    krippendorff_alpha,
    proportion_of,
)
from router_core.judging.dawid_skene import fit
from router_core.judging.judge_quality import JudgeQuality, QualityReport
from router_core.judging.verdicts import HUMAN, Judgement, Verdict

#: With fewer judges, people counting as one, nobody can tell which of them is wrong.
_MIN_JUDGES = 3


#: An estimated score this far from 0.5 names a winner.
_DECIDED = 0.25


_PromptPair = tuple[int | str, tuple[str, str]]


_Judgements = Mapping[_PromptPair, Judgement]


def assess_judges(
    judgements: Sequence[Judgement],
    *,
    families: Mapping[str, str] | None = None,
    invalid_replies: Mapping[str, Proportion] | None = None,
) -> QualityReport:
    """Assess every judge by its own verdicts and by those of the others.

    Args:
        judgements: The judgements of all judges, people among them as the judge `HUMAN`.
        families: The family (vendor) of models and judges by name, for self-preference; a name that is
            missing belongs to none.
        invalid_replies: Each judge's share of invalid replies, where the judgements do not show it because
            an invalid reply was asked for again.

    Returns:
        The report. With fewer than three judges, people counting as one, the values that need to know the
        right result are None.
    """
    by_judge: defaultdict[str, dict[_PromptPair, Judgement]] = defaultdict(dict)
    for judgement in judgements:
        by_judge[judgement.judge][judgement.prompt, judgement.pair] = judgement
    human = by_judge.pop(HUMAN, {})
    estimates = _estimated_scores(judgements) if len(by_judge) + bool(human) >= _MIN_JUDGES else {}
    qualities = [
        _assess_judge(judge, by_judge, human, estimates, families or {}) for judge in sorted(by_judge)
    ]
    counted = invalid_replies or {}
    with_replies = [
        replace(one, invalid_replies=counted.get(one.judge, one.invalid_replies)) for one in qualities
    ]
    pairs = sorted({pair for own in by_judge.values() for pair in own}, key=str)
    return QualityReport(tuple(map(_with_findings, with_replies)), len(pairs), _alpha(by_judge, pairs))


def _estimated_scores(judgements: Sequence[Judgement]) -> dict[_PromptPair, float]:
    """Return the Dawid-Skene estimate of each pair's score."""
    by_prompt = fit(judgements).pair_scores()
    return {(prompt, pair): score for prompt, row in by_prompt.items() for pair, score in row.items()}


def _assess_judge(
    judge: str,
    by_judge: Mapping[str, _Judgements],
    human: _Judgements,
    estimates: Mapping[_PromptPair, float],
    families: Mapping[str, str],
) -> JudgeQuality:
    own = by_judge[judge]
    verdicts = [v for one in own.values() for v in (one.forward, one.backward) if v is not None]
    flips = [(one, one.flipped) for one in own.values() if one.flipped is not None]
    scores = _known_scores(own)
    return JudgeQuality(
        judge=judge,
        pairs=len(own),
        invalid_replies=proportion_of(verdict is Verdict.NONE for verdict in verdicts),
        order_flips=proportion_of(bool(flipped) for _, flipped in flips),
        flips_to_first=proportion_of(one.forward is Verdict.FIRST for one, flipped in flips if flipped),
        length_bias=_preference_bias(_longer_sides(own), scores, estimates),
        agreement=_same_winner(scores, estimates),
        self_preference=_preference_bias(_own_sides(own, families.get(judge), families), scores, estimates),
        human_agreement=_same_winner(scores, _known_scores(human)),
        mean_kappa=_mean_kappa(judge, by_judge),
    )


def _known_scores(judgements: _Judgements) -> dict[_PromptPair, float]:
    return {pair: one.score for pair, one in judgements.items() if one.score is not None}


def _longer_sides(judgements: _Judgements) -> dict[_PromptPair, int]:
    """Return 1 where the answer of `pair[0]` is longer, -1 where that of `pair[1]` is."""
    return {pair: one.longer for pair, one in judgements.items() if one.longer}


def _own_sides(
    judgements: _Judgements, family: str | None, families: Mapping[str, str]
) -> dict[_PromptPair, int]:
    """Return 1 where `pair[0]` alone is of the judge's family, -1 where `pair[1]` alone is."""
    sides = {}
    for key in judgements:
        is_own = [families.get(model) == family for model in key[1]]
        if family is not None and is_own[0] != is_own[1]:
            sides[key] = 1 if is_own[0] else -1
    return sides


def _preference_bias(
    sides: Mapping[_PromptPair, int],
    scores: Mapping[_PromptPair, float],
    estimates: Mapping[_PromptPair, float],
) -> PreferenceBias:
    """Return the bias for one side of pairs: 1 stands for `pair[0]`, -1 for `pair[1]`."""
    judged = {pair: side for pair, side in sides.items() if pair in scores}
    expected = _scores_of_sides(judged, estimates) if judged.keys() <= estimates.keys() else None
    return PreferenceBias.of_results(_scores_of_sides(judged, scores), expected)


def _scores_of_sides(sides: Mapping[_PromptPair, int], scores: Mapping[_PromptPair, float]) -> list[float]:
    return [scores[pair] if side > 0 else 1 - scores[pair] for pair, side in sides.items()]


def _same_winner(scores: Mapping[_PromptPair, float], reference: Mapping[_PromptPair, float]) -> Proportion:
    """Return how often the winner is the same, of the pairs where scores and reference both name one."""
    both = [
        (score, reference[pair])
        for pair, score in scores.items()
        if score != 0.5 and pair in reference and abs(reference[pair] - 0.5) > _DECIDED
    ]
    return proportion_of((score == 1.0) == (expected > 0.5) for score, expected in both)


def _mean_kappa(judge: str, by_judge: Mapping[str, _Judgements]) -> float | None:
    own = _known_scores(by_judge[judge])
    kappas = []
    for other in [name for name in by_judge if name != judge]:
        others = _known_scores(by_judge[other])
        shared = [pair for pair in own if pair in others]
        kappas.append(cohen_kappa([own[pair] for pair in shared], [others[pair] for pair in shared]))
    known = [kappa for kappa in kappas if kappa is not None]
    return sum(known) / len(known) if known else None


def _alpha(by_judge: Mapping[str, _Judgements], pairs: Sequence[_PromptPair]) -> float | None:
    if not pairs:
        return None
    by_judge_scores = [_known_scores(judgements) for judgements in by_judge.values()]
    missing = float("nan")
    return krippendorff_alpha([[scores.get(pair, missing) for pair in pairs] for scores in by_judge_scores])


def _with_findings(quality: JudgeQuality) -> JudgeQuality:
    findings = (
        judge_findings.invalid_replies_finding(quality.invalid_replies),
        judge_findings.order_finding(quality.order_flips, quality.flips_to_first),
        judge_findings.length_finding(quality.length_bias),
        judge_findings.agreement_finding(quality.agreement),
        judge_findings.self_preference_finding(quality.self_preference),
    )
    return replace(quality, findings=tuple(finding for finding in findings if finding is not None))
