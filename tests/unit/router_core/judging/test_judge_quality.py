"""Quality of judges: planted faults are found, honest judges have no findings, bad judges count less."""

import json
import math
import re

import pytest

from router_core.judging.agreement import cohen_kappa, krippendorff_alpha
from router_core.judging.dawid_skene import fit, robust_pair_scores
from router_core.judging.judge_assessment import assess_judges
from router_core.judging.judge_quality import QualityReport
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


def test_an_honest_judge_has_no_finding(report: QualityReport) -> None:
    assert findings(report, "honest") == ""
    assert assess_judges(biased_judges.judged(200, dict.fromkeys("abc", biased_judges.honest))).findings == []


def test_too_few_verdicts_give_no_finding() -> None:
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


def error(pair_scores: dict[int | str, dict[tuple[str, str], float]]) -> float:
    """Return the root mean square error of pair scores against the true quality of the answers."""
    squares = []
    for prompt, answers in enumerate(biased_judges.answered(100)):
        good = {answer.model: answer.good for answer in answers}
        for (a, b), score in pair_scores[prompt].items():
            squares.append((score - 0.5 - (good[a] - good[b]) / 2) ** 2)
    return math.sqrt(sum(squares) / len(squares))


def test_the_confusion_matrix_of_an_always_wrong_judge_is_reversed(judgements: list[Judgement]) -> None:
    fitted = fit(judgements)
    matrix = fitted.confusion_matrices[fitted.judges.index("wrong")]
    assert matrix[0, 2] > 0.6
    assert matrix[2, 0] > 0.6


def test_people_are_trusted_over_the_judges_and_not_reported_as_a_judge() -> None:
    judges = {"a": biased_judges.always_wrong, "b": biased_judges.always_wrong, HUMAN: biased_judges.honest}
    report = assess_judges(biased_judges.judged(60, judges))
    assert [one.judge for one in report.judges] == ["a", "b"]
    agreement = {one.judge: one.human_agreement.value or 0.0 for one in report.judges}
    assert {judge: value for judge, value in agreement.items() if value >= 0.2} == {}
    assert [finding for finding in report.findings if "mostly wrong" not in finding] == []


def test_of_two_judges_who_differ_neither_is_called_wrong() -> None:
    report = assess_judges(
        biased_judges.judged(60, {"a": biased_judges.honest, "b": biased_judges.always_wrong})
    )
    assert [finding for finding in report.findings if re.search("wrong|unreliable", finding)] == []


def test_the_report_is_json() -> None:
    report = assess_judges(biased_judges.judged(3, JUDGES)).to_dict()
    assert json.loads(json.dumps(report)) == report


def test_kappa_is_1_for_equal_scores_0_for_chance_and_none_where_all_are_equal() -> None:
    assert cohen_kappa([1, 0, 1, 0.5], [1, 0, 1, 0.5]) == 1
    assert cohen_kappa([1, 1, 0, 0], [1, 0, 1, 0]) == 0
    assert cohen_kappa([1, 1], [1, 1]) is None
    assert cohen_kappa([], []) is None


def test_alpha_is_1_for_equal_scores_and_allows_missing_ones() -> None:
    nan = float("nan")
    assert krippendorff_alpha([[1, 0, 0.5, nan], [1, 0, 0.5, 1]]) == 1
    assert krippendorff_alpha([[1, nan], [nan, 0]]) is None
    assert krippendorff_alpha([]) is None


def test_without_judgements_the_report_is_empty() -> None:
    assert assess_judges([]).to_dict() == {
        "pairs": 0, "krippendorff_alpha": None, "findings": [], "warnings": [], "judges": [],
    }  # fmt: skip
    assert assess_judges([Judgement("p", "j", ("a", "b"), None, Verdict.NONE)]).alpha is None
