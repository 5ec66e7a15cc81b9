"""Parquet, Arrow and tables in memory."""

import datetime
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from tasks.formats.errors import OptionsError
from tasks.formats.inputs.options import input_options
from tasks.formats.reading import InputError, InputLimits, ParsedRequest, read_requests, requests_from

MESSAGES = [{"role": "user", "content": "hi"}]
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def read(path: Path, table: pa.Table, **limits: int) -> list[ParsedRequest | InputError]:
    pq.write_table(table, path)
    return list(read_requests(path, models=["small"], limits=InputLimits(**limits)))


def taken(table: object, **options: Any) -> list[ParsedRequest | InputError]:
    return list(requests_from(table, models=["small"], options=input_options(**options)))


def ids(items: list[ParsedRequest | InputError]) -> list[str | None]:
    return [item.custom_id for item in items]


def test_a_row_without_an_id_in_a_column_of_whole_floats_is_named_by_its_row(tmp_path: Path) -> None:
    items = read(tmp_path / "b.parquet", pa.table({"id": [1.0, None, 3.0], "prompt": ["a", "b", "c"]}))
    assert ids(items) == ["1", "line-2", "3"]


def test_ids_of_many_types_become_text(tmp_path: Path) -> None:
    known = uuid.UUID(int=7)
    columns: list[tuple[Any, str]] = [
        (pa.array([5], pa.int8()), "5"),
        (pa.array([known.bytes], pa.uuid()), str(known)),
        (pa.array([b"abc"]), "abc"),
        (pa.array([b"\xff\x00"]), "ff00"),
        (pa.array([datetime.date(2026, 1, 2)]), "2026-01-02"),
        (pa.array(["x"]).dictionary_encode(), "x"),
    ]
    for column, expected in columns:
        items = read(tmp_path / "b.parquet", pa.table({"id": column, "prompt": ["a"]}))
        assert ids(items) == [expected]
    (error,) = read(tmp_path / "b.parquet", pa.table({"id": [1.5], "prompt": ["a"]}))
    assert isinstance(error, InputError)
    assert error.code == "invalid_custom_id"


def test_lists_of_structs_are_conversations_without_the_nulls_of_other_rows(tmp_path: Path) -> None:
    turns = [*MESSAGES, {"role": "assistant", "content": None, "tool_calls": [CALL]}]
    table = pa.table({"id": ["m1", "m2"], "messages": pa.array([MESSAGES, turns])})
    first, second = read(tmp_path / "b.parquet", table)
    assert isinstance(first, ParsedRequest)
    assert isinstance(second, ParsedRequest)
    assert first.body == '{"messages":[{"content":"hi","role":"user"}]}'
    assert '{"content":null,"role":"assistant","tool_calls":[{' in second.body


def test_a_conversation_over_the_limit_rejects_only_its_row(tmp_path: Path) -> None:
    rows = [MESSAGES, [{"role": "user", "content": "x" * 200}], MESSAGES]
    items = read(tmp_path / "b.parquet", pa.table({"messages": pa.array(rows)}), max_line_bytes=100)
    assert [item.code if isinstance(item, InputError) else item.prompt for item in items] == [
        "hi", "line_too_long", "hi",
    ]  # fmt: skip


def test_missing_values_of_pandas_are_absent(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"prompt": ["a", "b"], "max_tokens": [7, None], "system": [None, float("nan")], "seed": [pd.NA, 1]}
    )
    frame["prompt"] = frame["prompt"].astype(object)
    for items in (taken(frame), read(tmp_path / "b.parquet", pa.Table.from_pandas(frame))):
        first, second = items
        assert isinstance(first, ParsedRequest)
        assert isinstance(second, ParsedRequest)
        assert first.body == '{"max_tokens":7,"messages":[{"content":"a","role":"user"}]}'
        assert second.body == '{"messages":[{"content":"b","role":"user"}],"seed":1}'


def test_a_feather_file_is_read(tmp_path: Path) -> None:
    pyarrow.feather.write_feather(pa.table({"prompt": ["a", "b"]}), tmp_path / "b.feather")
    items = list(read_requests(tmp_path / "b.feather", models=[]))
    assert [item.line for item in items] == [1, 2]


class Dataset:
    """What a Hugging Face dataset is to a reader: it selects columns and yields Arrow tables."""

    column_names = ("prompt", "answer")

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def select_columns(self, names: list[str]) -> "Dataset":
        return Dataset(self._table.select(names))

    def with_format(self, name: str) -> "Dataset":
        assert name == "arrow"
        return self

    def iter(self, batch_size: int) -> list[pa.Table]:
        return [self._table.slice(at, batch_size) for at in range(0, self._table.num_rows, batch_size)]


ARROW = pa.table({"prompt": ["a", "b"], "answer": ["x", "y"]})
TABLES = [ARROW.to_pandas(), ARROW, pa.RecordBatchReader.from_stream(ARROW), Dataset(ARROW)]


@pytest.mark.parametrize("table", TABLES, ids=["pandas", "arrow", "stream", "dataset"])
def test_a_table_is_taken_by_its_prompt_column(table: object) -> None:
    items = taken(table)
    assert [item.prompt for item in items if isinstance(item, ParsedRequest)] == ["a", "b"]


@pytest.mark.parametrize("table", [ARROW.to_pandas(), ARROW, Dataset(ARROW)])
def test_another_column_of_a_table_is_named(table: object) -> None:
    items = taken(table, prompt_column="answer")
    assert [item.prompt for item in items if isinstance(item, ParsedRequest)] == ["x", "y"]


def test_a_table_without_a_prompt_is_refused_with_its_columns_and_never_iterated() -> None:
    frame = pd.DataFrame({"ticket": [1, 2], "text": ["a", "b"]})
    for table in (frame, pa.Table.from_pandas(frame)):
        with pytest.raises(OptionsError, match="no 'prompt' column; it has ticket, text"):
            taken(table)
        with pytest.raises(OptionsError, match="no column 'txt'; it has ticket, text"):
            taken(table, prompt_column="txt")


def test_a_dict_of_splits_is_refused_with_their_names() -> None:
    with pytest.raises(OptionsError, match="one of them: train, test"):
        taken({"train": Dataset(ARROW), "test": Dataset(ARROW)})


def test_a_series_is_a_list_of_prompts() -> None:
    items = taken(pd.Series(["a", "b"]))
    assert [item.prompt for item in items if isinstance(item, ParsedRequest)] == ["a", "b"]


def test_columns_of_mixed_types_are_no_reason_to_refuse_a_data_frame() -> None:
    frame = pd.DataFrame({"id": [1, "b"], "prompt": ["a", "b"], "odd": [object(), {}]}, dtype=object)
    assert ids(taken(frame)) == ["1", "b"]


def test_text_that_parquet_does_not_mark_as_text_is_text(tmp_path: Path) -> None:
    (item,) = read(tmp_path / "b.parquet", pa.table({"prompt": pa.array([b"a caf\xc3\xa9"])}))
    assert isinstance(item, ParsedRequest)
    assert item.prompt == "a café"


def test_rows_of_a_data_frame_as_dicts_hold_numbers_of_numpy_and_missing_values() -> None:
    rows = [
        {"id": np.int64(5), "prompt": "a", "temperature": np.float64(0.5), "seed": np.int32(3)},
        {"id": float("nan"), "prompt": "b", "temperature": np.nan, "seed": pd.NA, "stop": None},
    ]
    first, second = taken(rows)
    assert isinstance(first, ParsedRequest)
    assert isinstance(second, ParsedRequest)
    assert (first.custom_id, first.parameters) == ("5", {"temperature": 0.5, "seed": 3})
    assert (second.custom_id, second.parameters) == ("line-2", {"stop": None})


def test_maps_are_objects_in_parquet_and_in_memory(tmp_path: Path) -> None:
    metadata = pa.array([[("run", "7")], None], pa.map_(pa.string(), pa.string()))
    table = pa.table({"prompt": ["a", "b"], "metadata": metadata})
    for items in (read(tmp_path / "b.parquet", table), taken(table)):
        first, second = items
        assert isinstance(first, ParsedRequest)
        assert '"metadata":{"run":"7"}' in first.body
        assert isinstance(second, ParsedRequest)
