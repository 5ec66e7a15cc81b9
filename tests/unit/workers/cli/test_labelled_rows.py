"""`waybill train` and `evaluate` with bad rows among their labels: all are named, as `submit` names lines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from router_core.errors import LabelsError
from tests.support.command import waybill
from workers.routers.labelled_files import read_rows

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


def test_the_import_of_labels_names_twenty_bad_lines_and_those_that_are_probably_wrong(
    tmp_path: Path,
) -> None:
    rows = [{"prompt": f"Add {n}", "scores": {"small": 1, "large": 0}} for n in range(20)]
    rows.append({"prompt": "canary", "scores": {"small": 1, "lagre": 0}})
    lines = [*map(json.dumps, rows), *["{}"] * 25]
    (tmp_path / "people.jsonl").write_text("\n".join(lines))
    ended = waybill("labels", "import", "people.jsonl", "--force", cwd=tmp_path)
    assert ended.returncode == 3
    assert ended.stderr.count("'prompt' must be a non-empty string [invalid_label]") == 20
    assert "people.jsonl: and 5 more bad lines" in ended.stderr
    warning = "warning: model 'lagre' in 1 row (people.jsonl, line 21): is 'large' meant?"
    assert warning in ended.stderr
    assert "21 labels read, 21 of them new; 25 bad lines" in ended.stderr
    shown = waybill("labels", "quality", cwd=tmp_path)
    assert "warning: model 'lagre' in 1 row (judged by human): is 'large' meant?" in shown.stderr
    assert "waybill labels delete --model NAME" in shown.stderr
    assert "canary" not in ended.stderr + shown.stderr


@pytest.mark.parametrize(
    "scores", [{"small": 1, "lagre": 0}, {"small": 3, "large": 0}, {"small": 1, "large": -1}]
)
def test_an_import_with_a_probable_mistake_is_held_until_it_is_forced(
    tmp_path: Path, scores: dict[str, float]
) -> None:
    rows = [{"prompt": f"Add {n}", "scores": {"small": n % 2, "large": 1 - n % 2}} for n in range(20)]
    lines = map(json.dumps, [*rows, {"prompt": "canary", "scores": scores}])
    (tmp_path / "people.jsonl").write_text("\n".join(lines))
    asked = ("labels", "import", "people.jsonl")
    held = waybill(*asked, cwd=tmp_path)
    assert held.returncode == 1
    assert "people.jsonl, line 21" in held.stderr
    assert "21 labels read, 21 of them new; nothing is imported" in held.stderr
    tried = waybill(*asked, "--force", "--dry-run", cwd=tmp_path)
    assert (tried.returncode, waybill("labels", "export", cwd=tmp_path).stdout) == (0, "")
    assert "21 of them new; nothing is stored" in tried.stderr
    assert waybill(*asked, "--force", cwd=tmp_path).returncode == 0
    assert "21 labels read, 0 of them new" in waybill(*asked, "--force", "--dry-run", cwd=tmp_path).stderr


def test_everybody_may_have_a_scale_of_their_own(tmp_path: Path) -> None:
    scales = {"ann": 1, "bob": 100}
    rows = [
        {"prompt": f"Add {n}", "scores": {"small": 0.5 * best, "large": best}, "annotator": name}
        for n in range(20)
        for name, best in scales.items()
    ]
    (tmp_path / "people.jsonl").write_text("\n".join(map(json.dumps, rows)))
    ended = waybill("labels", "import", "people.jsonl", cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "40 labels read, 40 of them new\n")


def test_an_import_can_be_taken_back_and_labels_of_a_person_or_a_model_deleted(tmp_path: Path) -> None:
    def labelled(name: str, *rows: dict[str, float], annotator: str) -> str:
        lines = [{"prompt": f"Add {n}", "scores": one, "annotator": annotator} for n, one in enumerate(rows)]
        (tmp_path / name).write_text("\n".join(map(json.dumps, lines)))
        assert waybill("labels", "import", name, cwd=tmp_path).returncode == 0
        return name

    def exported() -> list[str]:
        return waybill("labels", "export", cwd=tmp_path).stdout.splitlines()

    bad = labelled("bad.jsonl", {"x": 1, "y": 0}, {"x": 1, "y": 0}, annotator="ann")
    labelled("corrected.jsonl", {"x": 0, "y": 1}, annotator="ann")
    asked = ("labels", "delete")
    tried = waybill(*asked, bad, "--dry-run", cwd=tmp_path)
    assert "1 label would be deleted" in tried.stderr, "the other one was corrected since"
    assert len(exported()) == 2
    assert "1 label deleted" in waybill(*asked, bad, cwd=tmp_path).stderr
    (left,) = exported()
    assert json.loads(left)["scores"] == {"x": 0.0, "y": 1.0}
    labelled("other.jsonl", {"x": 0, "y": 1, "z": 0.5}, annotator="bob")
    assert "2 labels deleted" in waybill(*asked, "--model", "z", cwd=tmp_path).stderr
    assert "1 label deleted" in waybill(*asked, "--annotator", "ann", cwd=tmp_path).stderr
    assert "1 label would" in waybill(*asked, "--annotator", "bob", "--dry-run", cwd=tmp_path).stderr
    assert waybill(*asked, cwd=tmp_path).returncode == 1
    assert waybill(*asked, bad, "--model", "x", cwd=tmp_path).returncode == 1
