"""Lines of people's labels, and the errors of invalid ones."""

import os
from pathlib import Path
from typing import Any

import pytest

from tasks.errors import UsageError
from tasks.learning.label_import import import_human, preferences_of
from tasks.store.engine import Store
from tests.support.comparisons import assert_fields


def preference(first: str, second: str, winner: str) -> dict[str, Any]:
    return {"prompt": "p", "preference": {"first": first, "second": second, "winner": winner}}


def values(row: object) -> dict[tuple[str, str], float]:
    return {one.pair: one.value for one in preferences_of(row, annotator="ann")}


def test_scores_of_any_scale_are_preferences() -> None:
    row = {"prompt": "p", "scores": {"c": -3, "a": 10, "b": 10.0}}
    assert values(row) == {("a", "b"): 0.5, ("a", "c"): 1.0, ("b", "c"): 1.0}


def test_a_preference_is_kept_in_the_order_of_names() -> None:
    assert values(preference("b", "a", "first")) == {("a", "b"): 0.0}
    assert values(preference("a", "b", "first")) == {("a", "b"): 1.0}
    assert values(preference("b", "a", "tie")) == {("a", "b"): 0.5}


def test_a_line_may_name_its_annotator() -> None:
    row = {**preference("a", "b", "tie"), "annotator": "bob", "id": "7"}
    (found,) = preferences_of(row, annotator="ann")
    assert_fields(found, annotator="bob", custom_id="7")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ([], "not a JSON object"),
        ({"scores": {"a": 1, "b": 2}}, "'prompt' must be"),
        ({"prompt": "p"}, "needs either"),
        ({"prompt": "p", "scores": {"a": 1, "b": "2"}}, "not a number"),
        ({"prompt": "p", "scores": {"a": 1, "b": True}}, "not a number"),
        ({"prompt": "p", "scores": {"a": 1, "b": float("nan")}}, "not a number"),
        ({"prompt": "p", "preference": []}, "must be an object"),
        (preference("a", "a", "tie"), "two different models"),
        (preference("a", "b", "a"), "a winner"),
        ({"prompt": "p", "scores": {"a": 1, "b": 2}, "annotator": 3}, "'annotator' must be"),
    ],
)
def test_the_error_of_a_line_names_the_reason(row: object, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        preferences_of(row, annotator="ann")


def test_links_pipes_and_devices_are_no_files_of_labels(tmp_path: Path) -> None:
    link, pipe = tmp_path / "link.jsonl", tmp_path / "pipe.jsonl"
    link.symlink_to(tmp_path / "elsewhere.jsonl")
    (tmp_path / "elsewhere.jsonl").write_text("")
    os.mkfifo(pipe)
    for path in (link, pipe, Path("/dev/zero")):
        with pytest.raises(UsageError, match=path.name):
            import_human(Store("sqlite://"), path, annotator="ann", on_error=lambda line, reason: None)
