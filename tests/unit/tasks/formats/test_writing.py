"""Results in each format, and the atomic replacement of files."""

import csv
import io
import json
import os
import resource
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.formats.errors import FormatError
from tasks.formats.outputs.csv_table import safe_text
from tasks.formats.outputs.flat import COLUMNS
from tasks.formats.writing import ResultCounts, ResultFormat, ResultRecord, write_results
from tests.support.comparisons import assert_fields

WAYBILL = {
    "category": "coding", "predicted": {"small": 0.5}, "gap": 0.25, "used_fallback": False,
    "reason": "cheapest", "router_version": "r1", "cost_usd": 0.001, "latency_ms": 12.5, "attempts": 1,
    "duplicate_of": None,
}  # fmt: skip
COMPLETION = {
    "model": "small",
    "choices": [{"message": {"role": "assistant", "content": "grüß dich"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 5},
}
ANSWERED = ResultRecord("r-1", "a", 1, 200, COMPLETION, None, None, None, WAYBILL)
REFUSED = ResultRecord("r-2", "b", 2, 429, None, "rate_limited", "too many requests", None, WAYBILL)
INVALID = ResultRecord("r-3", "c", 3, None, None, "invalid_json", "invalid JSON at column 3", 3, {})
ALL = (ANSWERED, REFUSED, INVALID)


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def answering(text: str) -> ResultRecord:
    return replace(ANSWERED, body={"choices": [{"message": {"content": text}}]})


def test_openai_lines_hold_the_response_or_the_error(tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    assert write_results(ALL, output, format=ResultFormat.OPENAI) == ResultCounts(written=3, failed=2)
    answered, refused, invalid = lines(output)
    response = {"status_code": 200, "request_id": "r-1", "body": {**COMPLETION, "waybill": WAYBILL}}
    assert answered == {"id": "r-1", "custom_id": "a", "response": response, "error": None}
    error = {"code": "rate_limited", "message": "too many requests"}
    body = {"error": error, "waybill": WAYBILL}
    assert refused["response"] == {"status_code": 429, "request_id": "r-2", "body": body}
    assert refused["error"] is None
    reason = {"code": "invalid_json", "message": "invalid JSON at column 3", "line": 3}
    assert invalid == {"id": "r-3", "custom_id": "c", "response": None, "error": reason}


def test_an_answer_that_was_found_unusable_is_an_error_without_a_response(tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    record = replace(ANSWERED, error_code="budget_exceeded", error_message="the budget is spent")
    assert write_results([record], output, format=ResultFormat.OPENAI).failed == 1
    assert lines(output)[0]["response"] is None


@pytest.mark.parametrize("format", ResultFormat)
def test_failures_go_to_the_errors_file_and_an_old_one_is_replaced(
    tmp_path: Path, format: ResultFormat
) -> None:
    output, errors = tmp_path / "out", tmp_path / "err"
    write_results(ALL, output, format=format, errors=errors)
    both = output.read_bytes(), errors.read_bytes()
    assert [(b"rate_limited" in data, "grüß".encode() in data) for data in both] == [
        (False, True),
        (True, False),
    ]
    write_results([ANSWERED], output, format=format, errors=errors)
    assert b"rate_limited" not in errors.read_bytes()


def test_flat_lines_have_stable_columns(tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    write_results(ALL, output, format=ResultFormat.JSONL)
    answered, _, invalid = lines(output)
    assert tuple(answered) == tuple(invalid) == COLUMNS
    assert_fields(answered, answer="grüß dich", model="small", completion_tokens=5)
    assert_fields(answered, predicted={"small": 0.5}, cost_usd=0.001)
    assert_fields(invalid, line=3, error_code="invalid_json", answer=None)


def test_csv_goes_to_a_text_stream_and_cells_are_safe(tmp_path: Path) -> None:
    stream = io.StringIO(newline="")
    write_results([answering('=cmd|"x"'), answering("a\x1b[31mred\n")], stream, format=ResultFormat.CSV)
    stream.seek(0)
    assert [row["answer"] for row in csv.DictReader(stream)] == ['\'=cmd|"x"', "ared\n"]


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@x", "\tx", "\rx", "\0x", "\0=1", "\x1b[0m=1", "＝1"])
def test_a_cell_that_a_spreadsheet_would_run_is_quoted(text: str) -> None:
    assert safe_text(text).startswith("'")


@given(st.text(st.characters() | st.sampled_from("=\x1b[]\x9b\x07\0\u202e\u2066")))
def test_no_cell_holds_control_characters_or_begins_a_formula(text: str) -> None:
    safe = safe_text(text)
    bidirectional = [*range(0x202A, 0x202F), *range(0x2066, 0x206A)]
    controls = set(map(chr, [*range(32), *range(127, 160), *bidirectional])) - set("\t\r\n")
    assert set(safe) & controls == set()
    assert not safe.startswith(tuple("=+-@\t\r"))
    assert safe.encode().decode() == safe


def test_parquet_has_one_schema_whatever_the_records_hold(tmp_path: Path) -> None:
    first, second = tmp_path / "1.parquet", tmp_path / "2.parquet"
    odd = replace(ANSWERED, body={**COMPLETION, "model": 5, "usage": {"prompt_tokens": "many"}})
    write_results([*ALL, odd, *[ANSWERED] * 5000], first, format=ResultFormat.PARQUET)
    write_results([], second, format=ResultFormat.PARQUET)
    assert pq.read_schema(first) == pq.read_schema(second)
    assert pq.ParquetFile(first).num_row_groups == 2
    rows = pq.read_table(first).to_pylist()
    assert_fields(rows[0], answer="grüß dich", cost_usd=0.001, predicted='{"small": 0.5}')
    assert_fields(rows[3], model="5", prompt_tokens=None)


@pytest.mark.parametrize("format", ResultFormat)
def test_half_an_emoji_and_an_infinite_gap_do_not_stop_the_export(
    tmp_path: Path, format: ResultFormat
) -> None:
    record = replace(answering("half \ud83d"), waybill={**WAYBILL, "gap": float("inf")})
    output = tmp_path / "out"
    assert write_results([record], output, format=format).written == 1
    if format is ResultFormat.OPENAI:
        (line,) = lines(output)
        assert line["response"] == {
            "status_code": 200,
            "request_id": "r-1",
            "body": {**record.body, "waybill": {**WAYBILL, "gap": None}},
        }


@pytest.mark.parametrize("format", ResultFormat)
def test_a_failure_leaves_the_old_files_and_nothing_else(tmp_path: Path, format: ResultFormat) -> None:
    def records() -> Iterator[ResultRecord]:
        yield from ALL
        raise RuntimeError("the store went away")

    output, errors = tmp_path / "out", tmp_path / "err"
    output.write_text("old")
    with pytest.raises(RuntimeError):
        write_results(records(), output, format=format, errors=errors)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("out", "old")]


def test_a_full_disk_names_the_file(tmp_path: Path) -> None:
    output = tmp_path / "out"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(FormatError, match="out: cannot be written: File too large"):
            write_results([ANSWERED] * 100, output, format=ResultFormat.OPENAI)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []


def test_links_folders_devices_and_equal_paths_are_refused(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_text("old")
    link.symlink_to(real)
    refused = {
        link: "symbolic link",
        tmp_path: "folder",
        Path("/dev/null"): "regular",
        tmp_path / "no" / "f": "No such",
    }
    for path, reason in refused.items():
        with pytest.raises(FormatError, match=reason):
            write_results(ALL, path, format=ResultFormat.OPENAI)
    with pytest.raises(FormatError, match="both"):
        write_results(ALL, real, format=ResultFormat.OPENAI, errors=tmp_path / ".." / tmp_path.name / "real")
    with pytest.raises(FormatError, match="not text"):
        write_results(ALL, io.StringIO(), format=ResultFormat.PARQUET)
    assert real.read_text() == "old"


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o640), (0o002, 0o660), (0o077, 0o600), (0o027, 0o640)])
def test_a_new_file_gets_the_rights_that_the_user_gives_new_files_but_none_for_others(
    tmp_path: Path, umask: int, mode: int
) -> None:
    before = os.umask(umask)
    try:
        write_results(ALL, tmp_path / "out", format=ResultFormat.OPENAI)
    finally:
        os.umask(before)
    assert (tmp_path / "out").stat().st_mode & 0o777 == mode


@pytest.mark.parametrize("format", ResultFormat)
def test_memory_does_not_grow_with_the_number_of_records(tmp_path: Path, format: ResultFormat) -> None:
    records = (answering("x" * 100_000) for _ in range(1000))
    write_results([ANSWERED], tmp_path / "warm", format=format)
    tracemalloc.start()
    write_results(records, tmp_path / "out", format=format)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40 << 20
