"""Reading whole and damaged files of each format."""

import gzip
import json
import os
import tracemalloc
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.formats.errors import FormatError
from tasks.formats.reading import InputError, InputFormat, InputLimits, ParsedRequest, read_requests
from tests.support.comparisons import assert_fields

MODELS = ("small", "large")
SHORT = InputLimits(max_line_bytes=100)
TABLE = {
    "id": ["a", None, "c"],
    "prompt": ["=1, said", "zwei\nlines", ""],
    "system": [None, "be brief", None],
    "model": ["auto", "large", None],
    "max_tokens": [None, 256.0, 1.0],
    "ignored": ["x", "y", "z"],
}


def read(path: Path, limits: InputLimits = SHORT, **options: object) -> list[ParsedRequest | InputError]:
    return list(read_requests(path, models=MODELS, limits=limits, **options))  # type: ignore[arg-type]


def written(path: Path, content: bytes | str) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def outcomes(items: list[ParsedRequest | InputError]) -> list[tuple[int, str]]:
    return [(item.line, item.code if isinstance(item, InputError) else item.prompt) for item in items]


MIXED = b"".join(
    [
        b'\xef\xbb\xbf{"prompt": "one"}\r\n',
        b"\n \t\r\n",
        b'{"prompt": "\xff"}\n',
        b'{"prompt": "cut\n',
        b'{"prompt": "' + b"x" * 200_000 + b'"}\n',
        b'{"prompt": "x", "temperature": NaN}\n',
        b'{"prompt": ' + b"[" * 80 + b"\n",
        b'{"prompt": "x", "seed": ' + b"1" * 70 + b"}\n",
        json.dumps({"custom_id": "z", "method": "POST", "url": "/v1/chat/completions"}).encode() + b"\n",
        b'{"prompt": "last"}',
    ]
)
MIXED_OUTCOMES = [
    (1, "one"), (4, "not_utf8"), (5, "invalid_json"), (6, "line_too_long"), (7, "invalid_parameter"),
    (8, "invalid_json"), (9, "x"), (10, "missing_messages"), (11, "last"),
]  # fmt: skip


def test_bad_json_lines_are_reported_by_number_and_the_others_go_on(tmp_path: Path) -> None:
    assert outcomes(read(written(tmp_path / "b.jsonl", MIXED))) == MIXED_OUTCOMES


def test_gzip_reads_the_same(tmp_path: Path) -> None:
    assert outcomes(read(written(tmp_path / "b.jsonl.gz", gzip.compress(MIXED)))) == MIXED_OUTCOMES


def test_invalid_json_is_located_but_not_quoted(tmp_path: Path) -> None:
    (error,) = read(written(tmp_path / "b.jsonl", '{"prompt": "secret" "x"}'))
    assert isinstance(error, InputError)
    assert error.reason == "invalid JSON at column 21: Expecting ',' delimiter"


def test_nesting_beyond_the_interpreters_own_limit_is_an_error_of_that_line(tmp_path: Path) -> None:
    path = written(tmp_path / "b.jsonl", "[" * 100_000 + '\n{"prompt": "next"}\n' + "1" * 5000)
    assert outcomes(read(path, InputLimits())) == [(1, "too_deep"), (2, "next"), (3, "invalid_json")]


def test_plain_text_is_one_prompt_per_line(tmp_path: Path) -> None:
    path = written(tmp_path / "b.txt", b"one\r\n\n  two\n\xa0\n\xc2\xa0\n")
    assert outcomes(read(path)) == [(1, "one"), (3, "  two"), (4, "not_utf8"), (5, "empty_prompt")]


def test_csv_columns_become_requests(tmp_path: Path) -> None:
    path = written(
        tmp_path / "b.csv",
        'ID, Prompt,system,model,max_tokens,other\n'
        'a,"=1, said ""x""",,auto,,x\n'
        '\n'
        ',"zwei\nlines",be brief,large,256,y\n'
        'c,hi,,,many,z\n',
    )  # fmt: skip
    first, second, third = read(path)
    assert isinstance(first, ParsedRequest)
    assert isinstance(second, ParsedRequest)
    assert_fields(first, line=2, custom_id="a", prompt='=1, said "x"', model=None)
    assert_fields(second, line=4, custom_id="line-4", prompt="zwei\nlines")
    assert_fields(second, model="large", max_tokens=256, messages=2)
    assert isinstance(third, InputError)
    assert_fields(third, line=6, code="invalid_parameter", custom_id="c")


def test_bad_csv_rows_without_quotes_are_reported_and_the_others_go_on(tmp_path: Path) -> None:
    path = written(
        tmp_path / "b.csv",
        b'id,prompt\na\nb,one,two\nd,"bad \xff\ncell \xc3\xa9"\n' + b"e," + b"x" * 200 + b"\nf,,\n,ok\n",
    )
    assert outcomes(read(path)) == [
        (2, "missing_column"), (3, "too_many_columns"), (4, "not_utf8"), (6, "line_too_long"),
        (7, "too_many_columns"), (8, "ok"),
    ]  # fmt: skip


def test_parquet_rows_become_requests_across_row_groups(tmp_path: Path) -> None:
    path = tmp_path / "b.parquet"
    table = pa.table({**TABLE, "id": pa.array(TABLE["id"]).dictionary_encode()})
    pq.write_table(table, path, row_group_size=1)
    first, second, third = read(path)
    assert isinstance(first, ParsedRequest)
    assert isinstance(second, ParsedRequest)
    assert_fields(first, line=1, custom_id="a", prompt="=1, said", max_tokens=None)
    assert_fields(second, custom_id="line-2", model="large", max_tokens=256, messages=2)
    assert isinstance(third, InputError)
    assert_fields(third, line=3, code="empty_prompt", custom_id="c")


def test_a_parquet_cell_that_is_not_utf8_rejects_only_its_row(tmp_path: Path) -> None:
    path = tmp_path / "b.parquet"
    texts = pa.array([b"fine", b"\xff", b"also fine"]).view(pa.string())
    pq.write_table(pa.table({"prompt": texts}), path)
    assert outcomes(read(path)) == [(1, "fine"), (2, "not_utf8"), (3, "also fine")]


def test_a_parquet_file_that_repeats_a_huge_text_does_not_grow_in_memory(tmp_path: Path) -> None:
    path, times = tmp_path / "bomb.parquet", 200
    prompts = pa.array(["x" * (4 << 20)] * times + ["short"]).dictionary_encode().cast(pa.string())
    pq.write_table(pa.table({"prompt": prompts}), path, compression="zstd", dictionary_pagesize_limit=1 << 30)
    assert path.stat().st_size < 100_000
    before = pa.total_allocated_bytes()
    grown = 0
    for item in read_requests(path, models=[]):
        grown = max(grown, pa.total_allocated_bytes() - before)
        assert isinstance(item, InputError) or item.prompt == "short"
    assert item.line == times + 1
    assert grown < 64 << 20, "not 800 MiB"


def test_a_parquet_row_over_the_line_limit_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "b.parquet"
    pq.write_table(pa.table({"prompt": ["x" * 101, "x" * 100]}), path)
    assert outcomes(read(path)) == [(1, "line_too_long"), (2, "x" * 100)]


def test_a_format_given_overrides_the_extension(tmp_path: Path) -> None:
    path = written(tmp_path / "b.log", "hello")
    assert outcomes(read(path, format=InputFormat.TEXT)) == [(1, "hello")]
    with pytest.raises(FormatError, match="extension"):
        read(path)


WHOLE = [
    ("no requests", "b.jsonl", b" \n\n"),
    ("is empty", "b.csv", b""),
    ("'prompt' column", "b.csv", b"text\nsecret\n"),
    ("Parquet", "b.parquet", b"PAR1 secret"),
    ("to its end", "b.jsonl.gz", b"secret"),
    # A fixed time: parallel processes must name the test alike.
    ("to its end", "b.jsonl.gz", gzip.compress(b'{"prompt": "x"}\n' * 99, mtime=0)[:-9]),
]


@pytest.mark.parametrize(("reason", "name", "content"), WHOLE)
def test_a_file_that_is_wrong_as_a_whole_raises_one_error(
    tmp_path: Path, reason: str, name: str, content: bytes
) -> None:
    path = written(tmp_path / name, content)
    with pytest.raises(FormatError, match=reason) as caught:
        read(path)
    assert caught.value.path == path
    assert "secret" not in str(caught.value)


def test_links_folders_pipes_and_missing_files_are_refused(tmp_path: Path) -> None:
    link, pipe, folder = tmp_path / "l.txt", tmp_path / "p.txt", tmp_path / "d.txt"
    link.symlink_to(written(tmp_path / "real.txt", "x"))
    os.mkfifo(pipe)
    folder.mkdir()
    refused = {link: "symbolic link", pipe: "regular", folder: "folder", tmp_path / "no.txt": "No such file"}
    for path, reason in refused.items():
        with pytest.raises(FormatError, match=reason):
            read(path)


def test_more_lines_or_bytes_than_the_limits_stop_the_reading(tmp_path: Path) -> None:
    path = written(tmp_path / "b.txt", "x\n" * 10)
    assert len(read(path, InputLimits(max_lines=10, max_file_bytes=20))) == 10
    for limits in (InputLimits(max_lines=9), InputLimits(max_file_bytes=19)):
        with pytest.raises(FormatError, match="more than"):
            read(path, limits)


def test_a_giant_line_is_never_held_in_memory(tmp_path: Path) -> None:
    giant = gzip.compress(b'{"prompt": "' + bytes(64 << 20) + b'"}\n{"prompt": "next"}', compresslevel=1)
    path = written(tmp_path / "bomb.jsonl.gz", giant)
    tracemalloc.start()
    items = read(path, InputLimits(max_line_bytes=1 << 20))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert outcomes(items) == [(1, "line_too_long"), (2, "next")]
    assert peak < 8 << 20


PARTS = [b"\n", b"\r\n", b'{"prompt":"x"}', b'"', b"\xff", b" ", b"[" * 50, b"x" * 60, b",", b"\0"]


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200) | st.lists(st.sampled_from(PARTS)).map(b"".join))
def test_any_bytes_give_one_item_for_each_line_that_is_not_blank(tmp_path: Path, content: bytes) -> None:
    lines = [line for line in content.removeprefix(b"\xef\xbb\xbf").split(b"\n") if line.strip()]
    # With a mark the file is UTF-8 for sure, and each damaged line has an error of its own.
    path = written(tmp_path / "any", b"\xef\xbb\xbf" + content.removeprefix(b"\xef\xbb\xbf"))
    for text in (InputFormat.JSONL, InputFormat.TEXT):
        try:
            assert len(read(path, format=text)) == len(lines)
        except FormatError:
            assert not lines


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=100) | st.lists(st.sampled_from(PARTS)).map(b"".join))
def test_no_bytes_under_a_csv_header_raise(tmp_path: Path, content: bytes) -> None:
    path = written(tmp_path / "any.csv", b"\xef\xbb\xbfprompt\nfirst\n" + content)
    assert outcomes(read(path))[0] == (2, "first")


def test_an_array_on_a_line_names_the_format_that_reads_it(tmp_path: Path) -> None:
    (error,) = read(written(tmp_path / "b.jsonl", '[{"prompt": "a"}, {"prompt": "b"}]'))
    assert isinstance(error, InputError)
    assert error.code == "not_an_object"
    assert "--format json" in error.reason
