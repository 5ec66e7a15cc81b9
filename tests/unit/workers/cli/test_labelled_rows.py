"""`waybill train` and `evaluate` with bad rows among their labels: all are named, as `submit` names lines."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from router_core.data.labelled_prompts import LabelledPrompt
from router_core.errors import LabelsError
from router_core.evaluation.evaluated_policies import PolicyNumbers
from tests.support.command import waybill
from workers.routers.labelled_files import read_rows
from workers.routers.training import evaluate_router

GOOD = json.dumps({"id": "a", "prompt": "Add 1 and 2", "scores": {"x": 1}})


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    first.write_text(f"{GOOD}\n" + '{"id": "b", "prompt": "canary"}\n' + f"{GOOD}\n[]\n")
    second.write_text('{"prompt": "canary", "scores": {}}\n' + "{\n" * 30)
    return first, second


def test_every_bad_row_of_every_file_is_named_before_training_is_refused(files: tuple[Path, Path]) -> None:
    first, second = files
    ended = waybill("train", first.name, second.name, "-o", "router", cwd=first.parent)
    assert ended.returncode == 1
    lines = ended.stderr.splitlines()
    assert lines[:3] == [
        "first.jsonl, line 2: 'scores' must be an object of numbers by model [invalid_label]",
        "first.jsonl, line 4: not a JSON object [invalid_label]",
        "second.jsonl, line 1: 'id' must be a non-empty string [invalid_label]",
    ]
    assert "second.jsonl: and 11 more bad lines" in lines
    assert lines[-1].endswith("33 of 35 rows are bad: `--max-bad 33` goes on without them")
    assert "canary" not in ended.stderr
    assert not (first.parent / "router").exists()


def test_evaluation_names_bad_rows_too_and_goes_on_where_it_may(files: tuple[Path, Path]) -> None:
    asked = ("evaluate", "first.jsonl", "--router", "none")
    refused = waybill(*asked, cwd=files[0].parent)
    assert "2 of 4 rows are bad: `--max-bad 2`" in refused.stderr
    went_on = waybill(*asked, "--max-bad", "2", cwd=files[0].parent)
    assert went_on.returncode == 1
    assert "first.jsonl, line 4: not a JSON object" in went_on.stderr
    assert "rows are bad" not in went_on.stderr  # the next error is that there is no such router


def test_good_rows_are_read_while_no_more_than_so_many_are_bad(files: tuple[Path, Path]) -> None:
    named: list[tuple[str, int]] = []
    rows = read_rows(files, max_bad=33, on_bad=lambda file, error: named.append((file.name, error.line)))
    assert [row.id for row in rows] == ["a", "a"]
    assert len(named) == 33
    with pytest.raises(LabelsError, match="33 of 35 rows are bad"):
        read_rows(files, max_bad=32, on_bad=lambda *_: None)


def test_files_without_a_good_row_are_refused_whatever_may_be_bad(tmp_path: Path) -> None:
    file = tmp_path / "export.csv"
    file.write_text("id,judge\n1,gpt\n")
    with pytest.raises(LabelsError, match=r"no good row in .*export\.csv: 2 are bad"):
        read_rows([file], max_bad=100, on_bad=lambda file, error: None)


def test_a_check_names_all_that_is_wrong_and_trains_nothing(files: tuple[Path, Path], tmp_path: Path) -> None:
    first, _ = files
    checked = waybill("train", "--check", first.name, cwd=tmp_path)
    assert checked.returncode == 1
    assert checked.stderr.splitlines()[-3:] == [
        "first.jsonl, line 4: not a JSON object [invalid_label]",
        "warning: id and prompt of an earlier row come again in 1 row (first.jsonl, line 3): "
        "they count as one",
        "good rows 2, models 1, bad rows 2, warnings 1",
    ]
    (tmp_path / "good.jsonl").write_text(GOOD)
    good = waybill("train", "--check", "good.jsonl", cwd=tmp_path)
    assert (good.returncode, good.stderr) == (0, "good rows 1, models 1, bad rows 0, warnings 0\n")


def test_training_without_a_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "good.jsonl").write_text(GOOD)
    refused = waybill("train", "good.jsonl", cwd=tmp_path)
    assert refused.returncode == 2
    assert "name the router's directory" in refused.stderr


def test_labels_that_are_probably_wrong_are_named_before_training_and_evaluation(tmp_path: Path) -> None:
    rows = [{"id": f"{n}", "prompt": f"Add {n}", "scores": {"small": n % 2, "large": 1}} for n in range(30)]
    rows.append({"id": "1", "prompt": "canary", "scores": {"samll": 1, "large": 80}})
    (tmp_path / "labels.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    trained = waybill("train", "labels.jsonl", "-o", "router", "--embedder", "static", cwd=tmp_path)
    assert trained.returncode == 0
    named = [line for line in trained.stderr.splitlines() if line.startswith("warning: ")]
    assert named == [
        "warning: model 'large' has scores from 1 to 80, beyond 0 to 1 in 1 score (labels.jsonl, line 31);"
        " others are within: is it another scale?",
        "warning: model 'samll' in 1 row (labels.jsonl, line 31): is 'small' meant?",
        "warning: an id that another prompt has comes again in 1 row (labels.jsonl, line 31)",
    ]
    (tmp_path / "held_out.jsonl").write_text(
        json.dumps({"id": "a", "prompt": "b", "scores": {"smalll": 900}})
    )
    evaluated = waybill("evaluate", "held_out.jsonl", "--router", "router", cwd=tmp_path)
    assert "model 'smalll' in 1 row (held_out.jsonl, line 1): is 'small' meant?" in evaluated.stderr
    assert "canary" not in trained.stderr + evaluated.stderr


def test_rows_that_cannot_be_evaluated_on_are_refused_before_anything_is_embedded() -> None:
    rows = [LabelledPrompt("a", "Add 1", None, None, {"other": 1.0}, None)]
    for models, known, says in ((("x",), False, "no row has a score"), (("other",), True, "has learnt from")):
        prompts = SimpleNamespace(contains=lambda texts, known=known: np.full(len(texts), known))
        router: Any = SimpleNamespace(models=models, training_prompts=prompts)
        nothing: Any = None  # neither settings nor an embedder are there to embed with
        with pytest.raises(LabelsError, match=says):
            evaluate_router(
                nothing, rows, router, numbers=PolicyNumbers(), include_training=False, notify=print
            )
