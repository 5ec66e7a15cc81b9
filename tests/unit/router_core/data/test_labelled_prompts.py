"""Reading labelled prompts."""

import gzip
import json
import os
from pathlib import Path

import pytest

from router_core.data.labelled_prompts import (
    MAX_LINE_BYTES,
    cost_matrix,
    model_names,
    read_labelled,
    score_matrix,
)
from router_core.errors import LabelsError

ROW = {"id": "a", "prompt": "Add 1 and 2", "scores": {"x": 1, "y": None}, "costs": {"x": 0.1}, "extra": []}


def write(path, *lines):
    path.write_bytes(b"\n".join(lines))
    return path


def test_rows_are_read_with_or_without_gzip(tmp_path):
    line = json.dumps(ROW).encode()
    plain = write(tmp_path / "rows.jsonl", line, b"", line)
    packed = tmp_path / "rows.jsonl.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert list(read_labelled(plain)) == list(read_labelled(packed))
    row = next(read_labelled(plain))
    assert (row.scores, row.costs, row.category) == ({"x": 1.0}, {"x": 0.1}, None)


def test_a_model_without_a_score_is_not_a_number_in_the_matrix(tmp_path):
    other = {"id": "b", "prompt": "Hello", "scores": {"y": 0.5}}
    path = write(tmp_path / "rows.jsonl", json.dumps(ROW).encode(), json.dumps(other).encode())
    rows = list(read_labelled(path))
    assert model_names(rows) == ("x", "y")
    assert str(score_matrix(rows, ("x", "y")).tolist()) == "[[1.0, nan], [nan, 0.5]]"
    assert str(cost_matrix(rows, ("x", "y")).tolist()) == "[[0.1, nan], [nan, nan]]"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "not JSON"),
        (b"[]", "not a JSON object"),
        (b"\xff\xfe{}", "not"),
        (b'{"prompt": "p", "scores": {}}', "'id'"),
        (b'{"id": "a", "prompt": "", "scores": {}}', "'prompt'"),
        (b'{"id": "a", "prompt": "p", "scores": [1]}', "'scores' must be an object"),
        (b'{"id": "a", "prompt": "p", "scores": {"x": "1"}}', "not a number"),
        (b'{"id": "a", "prompt": "p", "scores": {"x": true}}', "not a number"),
        (b'{"id": "a", "prompt": "p", "scores": {"x": NaN}}', "not finite"),
        (b'{"id": "a", "prompt": "p", "scores": {"x": 1' + b"0" * 400 + b"}}", "not finite"),
        (b'{"id": "a", "prompt": "p", "scores": {}, "costs": {"x": -1}}', "below 0"),
        (b'{"id": "a", "prompt": "p", "scores": {}, "category": 3}', "'category'"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_a_bad_row_is_reported_with_file_line_and_reason(tmp_path, line, reason):
    path = write(tmp_path / "rows.jsonl", json.dumps(ROW).encode(), line)
    with pytest.raises(LabelsError, match=rf"rows\.jsonl, line 2: .*{reason}"):
        list(read_labelled(path))


def test_an_error_does_not_repeat_the_prompt(tmp_path):
    path = write(tmp_path / "rows.jsonl", b'{"id": "a", "prompt": "canary", "scores": {"x": "canary"}}')
    with pytest.raises(LabelsError) as caught:
        list(read_labelled(path))
    assert "canary" not in str(caught.value)


def test_a_file_that_is_missing_or_cut_off_is_named(tmp_path):
    with pytest.raises(LabelsError, match=r"none\.jsonl: cannot be read"):
        list(read_labelled(tmp_path / "none.jsonl"))
    cut = tmp_path / "cut.jsonl.gz"
    cut.write_bytes(gzip.compress(json.dumps(ROW).encode() * 100)[:-20])
    with pytest.raises(LabelsError, match=r"cut\.jsonl\.gz: cannot be read"):
        list(read_labelled(cut))


def test_links_pipes_devices_and_endless_lines_are_refused(tmp_path: Path) -> None:
    link, pipe, long = tmp_path / "link.jsonl", tmp_path / "pipe.jsonl", tmp_path / "long.jsonl"
    link.symlink_to(tmp_path / "elsewhere.jsonl")
    (tmp_path / "elsewhere.jsonl").write_text("")
    os.mkfifo(pipe)
    long.write_bytes(b" " * (MAX_LINE_BYTES + 1))
    for path in (link, pipe, Path("/dev/zero"), long):
        with pytest.raises(LabelsError, match=path.name):
            list(read_labelled(path))
