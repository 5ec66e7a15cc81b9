"""Labels that can be read and are probably wrong are named; right ones are not."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping

import pytest

from router_core.data.label_checks.checks import LabelChecks
from router_core.data.label_checks.names import are_near

Scores = Mapping[str, float | None]


def warnings_of(rows: Iterable[Scores], **known: object) -> list[str]:
    checks = LabelChecks()
    for line, scores in enumerate(rows, start=1):
        checks.add(scores, "f", line, id=f"id{line}", prompt=f"prompt {line}")
    return list(checks.warnings(**known))  # type: ignore[arg-type]


def unit_rows(number: int = 40, models: str = "ab") -> list[Scores]:
    draw = random.Random(1)
    return [{model: draw.random() for model in models} for _ in range(number)]


@pytest.mark.parametrize("scale", [[0, 1], [1, 2, 3, 4, 5], [0, 100], [*range(11)], [-8.2, -0.5, 0.3, 7.5]])
def test_one_scale_for_all_rows_and_models_is_right_whatever_it_is(scale: list[float]) -> None:
    draw = random.Random(2)
    assert warnings_of({"a": draw.choice(scale), "b": draw.choice(scale)} for _ in range(300)) == []


def test_shares_with_a_bonus_are_of_one_scale() -> None:
    assert warnings_of([*unit_rows(), {"a": 1.2, "b": -0.1}]) == []


def test_a_score_beyond_a_scale_from_0_to_1_is_named_with_its_model_and_line() -> None:
    (found,) = warnings_of([*unit_rows(), {"a": 80, "b": 0.5}, {"a": 90, "b": 0.5}])
    assert found.startswith("model 'a' has scores from ")
    assert "to 90, beyond 0 to 1 in 2 scores (first: f, line 41)" in found


def test_a_missing_score_that_was_written_as_a_number_is_named() -> None:
    (found,) = warnings_of([*unit_rows(), {"a": -1, "b": 0.5}])
    assert "model 'a' has scores from -1 to" in found
    assert "in 1 score (f, line 41)" in found


@pytest.mark.parametrize("factor", [5, 100])
def test_a_model_on_a_scale_of_its_own_is_named(factor: int) -> None:
    rows = [{"a": row["a"], "b": 2 + factor * (row["b"] or 0)} for row in unit_rows()]
    (found,) = warnings_of(rows)
    assert found.startswith("model 'b' has scores from 2")


def test_a_file_on_another_scale_is_named() -> None:
    checks = LabelChecks()
    for line in range(1, 41):
        checks.add({"a": line % 2, "b": 1}, "one", line, id=f"{line}", prompt=f"{line}")
        checks.add({"a": line % 5 + 1, "b": 4}, "two", line, id=f"{-line}", prompt=f"{-line}")
    (found,) = checks.warnings()
    assert found.startswith("two has scores from 1 to 5, beyond 0 to 1 in 72 scores (first: two, line 1)")


def test_rows_on_another_scale_are_named_though_they_are_as_many() -> None:
    percent = [{model: 100 * (score or 0) for model, score in row.items()} for row in unit_rows()]
    (found,) = warnings_of([*({"a": 0, "b": 60 + n} for n in range(9)), *unit_rows(20), *percent[:11]])
    assert found.startswith("all scores are within 0 to 1 in 20 rows (first: f, line 10)")


def test_scores_on_another_scale_than_those_that_the_router_learnt_from_are_told() -> None:
    rows: list[Scores] = [{"a": 20 * n, "b": 0} for n in range(6)]
    (found,) = warnings_of(rows, score_range=1.0)
    assert found.startswith("scores are from 0 to 100, but those that the router learnt from span 1")
    assert warnings_of(rows, score_range=80.0) == []


@pytest.mark.parametrize("misspelt", ["gpt4o-2024", "GPT-4o-2024", "gpt-4o-2042", "gpt-4o-204"])
def test_a_rare_name_beside_a_near_one_is_told_with_its_rows(misspelt: str) -> None:
    right: list[Scores] = [{"gpt-4o-2024": n % 2, "claude": 1} for n in range(40)]
    (found,) = warnings_of([*right, {misspelt: 1, "claude": 0}, {misspelt: 1}])
    assert found == f"model {misspelt!r} in 2 rows (first: f, line 41): is 'gpt-4o-2024' meant?"


def test_near_names_that_share_a_row_or_are_common_are_models_of_their_own() -> None:
    assert warnings_of([{"llama-3-7b": 1, "llama-3-8b": 0}, *({"llama-3-8b": 1} for _ in range(40))]) == []
    assert warnings_of([{"llama-3-7b": 1}, {"llama-3-8b": 0}] * 20) == []


def test_two_spellings_that_differ_in_signs_alone_are_told_however_common_they_are() -> None:
    (found,) = warnings_of([{"gpt-4o": 1}, {"GPT 4o": 0}] * 20)
    assert "meant?" in found


def test_a_name_near_one_that_should_be_there_is_told_and_a_known_one_is_not() -> None:
    rows: list[Scores] = [{"gpt-4o": 1}, {"gpt-4": 1}] * 20
    assert warnings_of([{"gpt4o": 1}], known=("gpt-4o",)) == [
        "model 'gpt4o' in 1 row (f, line 1): is 'gpt-4o' meant?"
    ]
    assert warnings_of([*rows, {"gpt-4": 1}], known=("gpt-4o", "gpt-4")) == []
    assert are_near("small", "samll")
    assert not are_near("gpt-4o", "gpt-4o-mini")


def test_rows_without_a_score_are_counted() -> None:
    assert warnings_of([{"a": 1}, {}, {"a": 1}, {}]) == ["no model has a score in 2 rows (first: f, line 2)"]


def test_ids_and_prompts_that_come_again_are_counted_by_what_is_equal() -> None:
    checks = LabelChecks()
    rows = [("1", "x"), ("1", "y"), ("2", "x"), ("1", "x"), ("1", "x")]
    for line, (id_, prompt) in enumerate(rows, start=1):
        checks.add({"a": 1}, "f", line, id=id_, prompt=prompt)
    assert list(checks.warnings()) == [
        "an id that another prompt has comes again in 1 row (f, line 2)",
        "a prompt comes again under another id in 1 row (f, line 3): it counts twice",
        "id and prompt of an earlier row come again in 2 rows (first: f, line 4): they count as one",
    ]


def test_the_same_prompt_of_another_annotator_is_no_repeat() -> None:
    checks = LabelChecks()
    for person in ("ann", "bob"):
        checks.add({"a": None, "b": None}, "f", 1, id=None, prompt="x", of=person)
    assert list(checks.warnings()) == []
