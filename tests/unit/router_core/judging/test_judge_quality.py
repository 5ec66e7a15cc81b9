"""Judges are judged: planted faults are named, honest judges are not accused, and bad ones are discounted."""

import json
import math
import re

import pytest

from router_core.judging.agreement import alpha, kappa
from router_core.judging.dawid_skene import fit, robust_pair_scores
from router_core.judging.judge_quality import QualityReport, assess_judges
from router_core.judging.scores import mean_pair_scores
from router_core.judging.verdicts import HUMAN, Judgement, Verdict
from tests.support import biased_judges

FAULTS = {
    "first": (biased_judges.likes_the_first, "order bias"),
    "length": (biased_judges.likes_length, "length bias"),
    "garbled": (biased_judges.garbled, "garbage verdicts"),
    "wrong": (biased_judges.always_wrong, "mostly wrong"),
}
JUDGES = {"honest": biased_judges.honest, **{name: judge for name, (judge, _) in FAULTS.items()}}


@pytest.fixture(scope="module")
def judgements() -> list[Judgement]:
    return biased_judges.judged(100, JUDGES)


@pytest.fixture(scope="module")
def report(judgements: list[Judgement]) -> QualityReport:
    return assess_judges(judgements)


def findings(report: QualityReport, judge: str) -> str:
    return " ".join(finding for finding in report.findings if finding.startswith(f"{judge}:"))


@pytest.mark.parametrize("judge", FAULTS)
def test_each_planted_fault_is_named_with_its_judge(report: QualityReport, judge: str) -> None:
    assert FAULTS[judge][1] in findings(report, judge)


def test_an_honest_judge_is_not_accused(report: QualityReport) -> None:
    assert findings(report, "honest") == ""
    assert assess_judges(biased_judges.judged(200, dict.fromkeys("abc", biased_judges.honest))).findings == []


def test_nothing_is_said_of_judges_who_were_hardly_asked() -> None:
    report = assess_judges(biased_judges.judged(1, JUDGES))
    assert [finding for finding in report.findings if "garbage" not in finding] == []


def test_a_judge_that_favours_its_own_family_is_named() -> None:
    judges = {"a": biased_judges.honest, "b": biased_judges.likes_large, "c": biased_judges.honest}
    families = {"a": "other", "b": "acme", "large": "acme", "coder": "other"}
    report = assess_judges(biased_judges.judged(200, judges), families=families)
    assert "self-preference" in findings(report, "b")
    assert findings(report, "a") == ""


def test_robust_labels_are_nearer_to_the_truth_than_plain_means(judgements: list[Judgement]) -> None:
    assert error(robust_pair_scores(judgements)) < 0.3 * error(mean_pair_scores(judgements))


def error(values: dict[int | str, dict[tuple[str, str], float]]) -> float:
    """Root mean square of what the pairs' values are off from what the answers were worth."""
    squares = []
    for prompt, answers in enumerate(biased_judges.answered(100)):
        good = {answer.model: answer.good for answer in answers}
        squares += [(v - 0.5 - (good[a] - good[b]) / 2) ** 2 for (a, b), v in values[prompt].items()]
    return math.sqrt(sum(squares) / len(squares))


def test_an_always_wrong_judge_is_read_the_other_way_round(judgements: list[Judgement]) -> None:
    found = fit(judgements)
    table = found.confusion_matrices[found.judges.index("wrong")]
    assert table[0, 2] > 0.6
    assert table[2, 0] > 0.6


def test_people_are_believed_over_the_judges_and_not_reported_as_a_judge() -> None:
    judges = {"a": biased_judges.always_wrong, "b": biased_judges.always_wrong, HUMAN: biased_judges.honest}
    found = biased_judges.judged(60, judges)
    report = assess_judges(found)
    assert [one.judge for one in report.judges] == ["a", "b"]
    assert all((one.human.value or 0.0) < 0.2 for one in report.judges)
    assert [finding for finding in report.findings if "mostly wrong" not in finding] == []


def test_two_judges_who_differ_accuse_nobody() -> None:
    report = assess_judges(
        biased_judges.judged(60, {"a": biased_judges.honest, "b": biased_judges.always_wrong})
    )
    assert [finding for finding in report.findings if re.search("wrong|unreliable", finding)] == []


def test_the_report_is_json() -> None:
    report = assess_judges(biased_judges.judged(3, JUDGES)).to_dict()
    assert json.loads(json.dumps(report)) == report


def test_kappa_is_1_for_the_same_0_for_chance_and_none_where_all_is_alike() -> None:
    assert kappa([1, 0, 1, 0.5], [1, 0, 1, 0.5]) == 1
    assert kappa([1, 1, 0, 0], [1, 0, 1, 0]) == 0
    assert kappa([1, 1], [1, 1]) is None
    assert kappa([], []) is None


def test_alpha_is_1_for_the_same_verdicts_and_stands_missing_ones() -> None:
    nan = float("nan")
    assert alpha([[1, 0, 0.5, nan], [1, 0, 0.5, 1]]) == 1
    assert alpha([[1, nan], [nan, 0]]) is None
    assert alpha([]) is None


def test_an_empty_store_is_an_empty_report() -> None:
    assert assess_judges([]).to_dict() == {
        "pairs": 0, "krippendorff_alpha": None, "findings": [], "judges": [],
    }  # fmt: skip
    assert assess_judges([Judgement("p", "j", ("a", "b"), None, Verdict.NONE)]).alpha is None
