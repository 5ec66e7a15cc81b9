"""`waybill labels import` and `labels delete`, without a stack."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.command import waybill


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
    assert "warning: model 'lagre' in 1 row (judged by people): is 'large' meant?" in shown.stderr
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


@pytest.mark.parametrize("force", [(), ("--force",)])
def test_a_label_that_comes_again_in_a_long_file_is_new_once_also_in_a_dry_run(
    tmp_path: Path, force: tuple[str, ...]
) -> None:
    prompts = ["again" if n in (0, 1_200, 2_400) else f"Add {n}" for n in range(2_500)]
    rows = [{"prompt": prompt, "scores": {"small": 1, "large": 0}} for prompt in prompts]
    (tmp_path / "people.jsonl").write_text("\n".join(map(json.dumps, rows)))
    asked, counts = ("labels", "import", "people.jsonl", *force), "2,500 labels read, 2,498 of them new"
    tried = waybill(*asked, "--dry-run", cwd=tmp_path)
    assert tried.stderr.splitlines()[-1] == f"{counts}; nothing is stored (--dry-run)"
    assert waybill(*asked, cwd=tmp_path).stderr.splitlines()[-1] == counts
    assert len(waybill("labels", "export", cwd=tmp_path).stdout.splitlines()) == 2_498


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
