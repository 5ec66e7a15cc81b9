"""Judging the judges: what is wrong with each, by its own verdicts and by those of the others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from router_core.judging.agreement import (
    PreferenceBias,
    Proportion,
    cohen_kappa,
    krippendorff_alpha,
    proportion_of,
    round_or_none,
)
from router_core.judging.dawid_skene import DawidSkene, fit
from router_core.judging.verdicts import HUMAN, Judgement, Verdict

#: what is called a fault once it is surely passed; see docs/learning.md
MAX_ORDER_FLIPS = 0.10
MAX_INVALID_REPLIES = 0.05
MIN_AGREEMENT = 0.75
MAX_PREFERENCE_BIAS = 0.05

_Pair = tuple[int | str, tuple[str, str]]
_Values = Mapping[_Pair, Judgement]


@dataclass(frozen=True, kw_only=True)
class JudgeQuality:
    """One judge. Figures are None where there was nothing to count.

    garbage: verdicts that could not be used, of all that were asked for. flips: pairs whose winner changed
    with the order, of those where both orders named one. first: flips to the answer shown first. longer: wins
    of the longer answer. agreement: the same winner as is probably true, where both name one. own: wins of
    answers by the judge's family. human: the same as people said. kappa: mean of Cohen's with the others.
    """

    judge: str
    pairs: int
    invalid_replies: Proportion
    order_flips: Proportion
    flips_to_first: Proportion
    length_bias: PreferenceBias
    agreement: Proportion
    self_preference: PreferenceBias
    human_agreement: Proportion
    mean_kappa: float | None
    findings: tuple[str, ...] = ()


@dataclass(frozen=True)
class QualityReport:
    """All judges together; alpha is Krippendorff's (ordinal) over the judges, people aside."""

    judges: tuple[JudgeQuality, ...]
    pairs: int
    alpha: float | None

    @property
    def findings(self) -> list[str]:
        """Every fault, with its judge's name."""
        return [f"{one.judge}: {finding}" for one in self.judges for finding in one.findings]

    def to_dict(self) -> dict[str, Any]:
        """Return the report for JSON; shares as `{"share", "error", "of"}`, favours with `due`."""
        return {
            "pairs": self.pairs,
            "krippendorff_alpha": round_or_none(self.alpha),
            "findings": self.findings,
            "judges": [_judge_to_dict(one) for one in self.judges],
        }


def assess_judges(
    judgements: Sequence[Judgement],
    *,
    families: Mapping[str, str] | None = None,
    invalid_replies: Mapping[str, Proportion] | None = None,
) -> QualityReport:
    """Examine every judge of these judgements.

    families: the family (vendor) of models and judges, for self-preference; a name that is missing has none.
    garbage: the share of each judge's replies that could not be used, where repeats hide it.
    What is probably true is fitted to all verdicts together (`reliability.fit`); with fewer than three
    judges, people included, nobody can say who is wrong, and the figures that need it are None.
    """
    by_judge: defaultdict[str, dict[_Pair, Judgement]] = defaultdict(dict)
    for one in judgements:
        by_judge[one.judge][one.prompt, one.pair] = one
    people = by_judge.pop(HUMAN, {})
    found = fit(judgements)
    truth = _truth(found) if len(by_judge) + bool(people) > 2 else {}
    examined = [
        _assess_judge(judge, mine, by_judge, people, truth, families or {})
        for judge, mine in sorted(by_judge.items())
    ]
    counted = [
        replace(one, invalid_replies=(invalid_replies or {}).get(one.judge, one.invalid_replies))
        for one in examined
    ]
    judges = [_with_findings(one) for one in counted]
    pairs = sorted({pair for mine in by_judge.values() for pair in mine}, key=str)
    return QualityReport(tuple(judges), len(pairs), _alpha(by_judge, pairs))


def _truth(found: DawidSkene) -> dict[_Pair, float]:
    values = found.pair_scores()
    return {(prompt, pair): value for prompt, row in values.items() for pair, value in row.items()}


def _assess_judge(
    judge: str,
    mine: _Values,
    everybody: Mapping[str, _Values],
    people: _Values,
    truth: Mapping[_Pair, float],
    families: Mapping[str, str],
) -> JudgeQuality:
    asked = [v for one in mine.values() for v in (one.forward, one.backward) if v is not None]
    flips = [(one, one.flipped) for one in mine.values() if one.flipped is not None]
    return JudgeQuality(
        judge=judge,
        pairs=len(mine),
        invalid_replies=proportion_of(verdict is Verdict.NONE for verdict in asked),
        order_flips=proportion_of(bool(flipped) for _, flipped in flips),
        flips_to_first=proportion_of(one.forward is Verdict.FIRST for one, flipped in flips if flipped),
        length_bias=_preference_bias(_longer_sides(mine), mine, truth),
        agreement=_same_winner({pair: one.score for pair, one in mine.items()}, truth),
        self_preference=_preference_bias(_own_sides(mine, families.get(judge), families), mine, truth),
        human_agreement=_same_winner(
            {pair: one.score for pair, one in mine.items()},
            {pair: one.score for pair, one in people.items() if one.score is not None},
        ),
        mean_kappa=_mean_kappa(judge, mine, everybody),
    )


def _longer_sides(mine: _Values) -> dict[_Pair, int]:
    return {pair: one.longer for pair, one in mine.items() if one.longer}


def _own_sides(mine: _Values, family: str | None, families: Mapping[str, str]) -> dict[_Pair, int]:
    """1 where `pair[0]` alone is of the family, -1 where `pair[1]` alone is."""
    sides = {}
    for key in mine:
        ours = [families.get(model) == family for model in key[1]]
        if family is not None and ours[0] != ours[1]:
            sides[key] = 1 if ours[0] else -1
    return sides


def _preference_bias(
    sides: Mapping[_Pair, int], mine: _Values, truth: Mapping[_Pair, float]
) -> PreferenceBias:
    """Return what these sides got (ties count half), and what is due to them by the truth."""
    valued = [(pair, side, value) for pair, side in sides.items() if (value := mine[pair].score) is not None]
    got = [value if side > 0 else 1 - value for _, side, value in valued]
    known = [truth[pair] if side > 0 else 1 - truth[pair] for pair, side, _ in valued if pair in truth]
    return PreferenceBias.of_results(got, known if len(known) == len(got) else None)


def _same_winner(values: Mapping[_Pair, float | None], truth: Mapping[_Pair, float]) -> Proportion:
    """Return where both name a winner: how often it is the same."""
    both = [(value, truth[pair]) for pair, value in values.items() if value in (0.0, 1.0) and pair in truth]
    return proportion_of((value == 1.0) == (true > 0.5) for value, true in both if abs(true - 0.5) > 0.25)


def _mean_kappa(judge: str, mine: _Values, everybody: Mapping[str, _Values]) -> float | None:
    found = []
    for other, theirs in everybody.items():
        shared = [p for p in mine if p in theirs and None not in (mine[p].score, theirs[p].score)]
        pair = [[float(side[p].score or 0.0) for p in shared] for side in (mine, theirs)]
        if other != judge and (value := cohen_kappa(*pair)) is not None:
            found.append(value)
    return sum(found) / len(found) if found else None


def _alpha(by_judge: Mapping[str, _Values], pairs: Sequence[_Pair]) -> float | None:
    def value(mine: _Values, pair: _Pair) -> float:
        known = mine[pair].score if pair in mine else None
        return float("nan") if known is None else known

    return (
        krippendorff_alpha([[value(mine, pair) for pair in pairs] for mine in by_judge.values()])
        if pairs
        else None
    )


def _with_findings(one: JudgeQuality) -> JudgeQuality:
    checks = (_invalid_replies, _order, _length, _wrong, _self_preference)
    found = tuple(text for check in checks if (text := check(one)) is not None)
    return replace(one, findings=found)


def _invalid_replies(one: JudgeQuality) -> str | None:
    if not one.invalid_replies.significantly_above(MAX_INVALID_REPLIES):
        return None
    return f"garbage verdicts: {_percent(one.invalid_replies)} of its replies could not be used"


def _order(one: JudgeQuality) -> str | None:
    if not one.order_flips.significantly_above(MAX_ORDER_FLIPS):
        return None
    changed = f"{_percent(one.order_flips)} of its winners change with the order"
    for side, biased in (
        ("first", one.flips_to_first.significantly_above(0.5)),
        ("second", one.flips_to_first.significantly_below(0.5)),
    ):
        if biased:
            return f"order bias: {changed}, mostly to the answer shown {side}"
    return f"inconsistent: {changed}"


def _length(one: JudgeQuality) -> str | None:
    return (
        f"length bias: the longer answer gets {one.length_bias}"
        if one.length_bias.significantly_above(MAX_PREFERENCE_BIAS)
        else None
    )


def _wrong(one: JudgeQuality) -> str | None:
    if one.agreement.significantly_below(0.5):
        return f"mostly wrong: it agrees with what is probably true in {_percent(one.agreement)}"
    if one.agreement.significantly_below(MIN_AGREEMENT):
        return f"unreliable: it agrees with what is probably true in only {_percent(one.agreement)}"
    return None


def _self_preference(one: JudgeQuality) -> str | None:
    return (
        f"self-preference: its own family gets {one.self_preference}"
        if one.self_preference.significantly_above(MAX_PREFERENCE_BIAS)
        else None
    )


def _percent(share: Proportion) -> str:
    return f"{share.value or 0.0:.0%} (±{share.standard_error:.0%} of {share.total})"


#: the fields of `JudgeQuality` whose keys in JSON differ
_JSON_KEYS = {
    "invalid_replies": "garbage",
    "order_flips": "flips",
    "flips_to_first": "first",
    "length_bias": "longer",
    "self_preference": "own",
    "human_agreement": "human",
    "mean_kappa": "kappa",
}


def _judge_to_dict(quality: JudgeQuality) -> dict[str, Any]:
    values = {
        _JSON_KEYS.get(field.name, field.name): getattr(quality, field.name) for field in fields(quality)
    }
    plain = {
        key: value.to_dict() if isinstance(value, Proportion | PreferenceBias) else value
        for key, value in values.items()
    }
    return {**plain, "kappa": round_or_none(quality.mean_kappa), "findings": list(quality.findings)}
