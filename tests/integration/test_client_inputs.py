"""What the Python API takes as prompts, and what it refuses."""

import math
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tasks.errors import UsageError
from tasks.formats.errors import FormatError, OptionsError
from tests.support.comparisons import assert_fields
from waybill import Waybill


def test_a_file_is_submitted_by_its_path(waybill: Waybill, tmp_path: Path) -> None:
    file = tmp_path / "prompts.txt"
    file.write_text("one\ntwo\n")
    batch = waybill.submit(file, route_only=True)
    state = batch.status()
    assert_fields(state, total=2, source=str(file), route_only=True)


def test_a_single_text_is_refused(waybill: Waybill) -> None:
    with pytest.raises(TypeError, match="one text"):
        waybill.submit("prompts.txt")


def test_a_data_frame_is_submitted_by_its_prompt_column_never_as_its_column_names(
    waybill: Waybill,
) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"ticket": [7, 8], "text": ["a", "b"], "note": ["x", "y"]})
    with waybill:
        with pytest.raises(OptionsError, match="it has ticket, text, note"):
            waybill.submit(frame)
        with pytest.warns(UserWarning, match="columns that are not read: note"):
            batch = waybill.submit(frame, prompt_column="text", id_column="ticket", strict=True)
        assert batch.status().total == 2


@pytest.mark.parametrize("label", [3, 1.5, datetime(2026, 11, 30)])
def test_any_label_of_a_data_frame_names_its_column(waybill: Waybill, label: Any) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({label: ["a", "b"]})
    assert waybill.submit(frame, prompt_column=frame.columns[0], route_only=True).status().total == 2


@pytest.mark.parametrize(
    "option",
    [{"prompt_column": True}, {"prompt_column": b"ab"}, {"param_columns": b"ab"}, {"param_columns": [None]}],
)
def test_what_names_no_column_is_refused(waybill: Waybill, option: dict[str, Any]) -> None:
    [name] = option
    with pytest.raises(UsageError, match=f"{name} is the name of a column, not a"):
        waybill.submit(["a"], **option)


@pytest.mark.parametrize("column", [0, ("text", "de")])
def test_columns_are_named_as_the_table_names_them(waybill: Waybill, column: Any) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({column: ["a", "b"], ("id", 1): [7, 8]})
    frame.columns = [column, 1] if column == 0 else pandas.MultiIndex.from_tuples(frame.columns)
    names = {"prompt_column": column, "id_column": 1 if column == 0 else ("id", 1)}
    batch = waybill.submit(frame, strict=True, **names)
    assert batch.status().total == 2
    with pytest.raises(UsageError, match="prompt_column is the name of a column, not a list"):
        waybill.submit(frame, prompt_column=["a"])  # type: ignore[arg-type]


def test_a_missing_prompt_has_one_reason_in_every_kind_of_input(waybill: Waybill) -> None:
    pandas = pytest.importorskip("pandas")
    rows: list[dict[str, Any]] = [
        {"question": missing, "id": f"id {missing}"} for missing in (None, math.nan, "")
    ]
    given: list[tuple[Any, dict[str, Any]]] = [
        (rows, {"prompt_column": "question"}),
        (pandas.DataFrame(rows), {"prompt_column": "question"}),
        ([None, math.nan, ""], {}),
        ([{"prompt": missing} for missing in (None, math.nan, "")], {}),
    ]
    for prompts, options in given:
        found: list[str] = []
        with pytest.raises(UsageError, match="holds no request"):
            waybill.submit(prompts, on_error=lambda error: found.append(error.reason), **options)  # noqa: B023
        assert found == ["holds no prompt: it is empty, None or NaN"] * 3


def test_a_list_of_paths_is_one_batch_and_a_list_of_urls_one_of_prompts(
    waybill: Waybill, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.txt").write_text(f"prompt {name}\n")
    with waybill:
        assert waybill.submit([tmp_path / "a.txt", tmp_path / "b.txt"]).status().total == 2
        assert waybill.submit(["https://example.org/a.jsonl"]).status().total == 1
        with pytest.raises(FormatError, match="cannot be opened"):
            waybill.submit("http://127.0.0.1:9/a.jsonl?token=secret")
        with pytest.raises(TypeError, match="not both"):
            waybill.submit([tmp_path / "a.txt", {"prompt": "x"}])


def test_a_dict_of_columns_is_a_table(waybill: Waybill) -> None:
    columns = {"ticket": [1, 2], "text": ["a", "b"]}
    with pytest.raises(
        OptionsError, match="no 'prompt' column; it has ticket, text; prompt_column= names it"
    ):
        waybill.submit(columns)
    with pytest.warns(UserWarning, match="columns that are not read: ticket"):
        batch = waybill.submit(columns, prompt_column="text", route_only=True)
    assert batch.status().total == 2
    assert waybill.submit({"prompt": np.array(["a", "b", "c"])}).status().total == 3
    with pytest.raises(OptionsError, match="different lengths: prompt 2, id 1"):
        waybill.submit({"prompt": ["a", "b"], "id": [1]})


@pytest.mark.parametrize(
    ("prompts", "says"),
    [
        ({"prompt": "a"}, "one request"),
        ({"messages": [{"role": "user", "content": "x"}]}, "one request"),
        ({"first": "a", "second": "b"}, "a list of its values"),
        ({"text": {0: "a", 1: "b"}}, "a list of its values"),
        (b"some bytes", "decode it"),
        ({"a", "b"}, "no order"),
        (None, "is a NoneType"),
        (5, "is a int"),
    ],
)
def test_what_yields_no_prompts_is_refused_and_nothing_is_bought(
    waybill: Waybill, prompts: Any, says: str
) -> None:
    with pytest.raises(TypeError, match=says):
        waybill.submit(prompts)
    assert waybill.batches() == []


def test_an_open_file_is_refused(waybill: Waybill, tmp_path: Path) -> None:
    file = tmp_path / "prompts.txt"
    file.write_text("one\ntwo\n")
    with file.open() as opened, pytest.raises(TypeError, match="open file"):
        waybill.submit(opened)


def test_conversations_and_arrow_arrays_are_prompts(waybill: Waybill) -> None:
    conversation = [{"role": "user", "content": "x"}]
    assert waybill.submit([conversation, conversation]).status().total == 2
    assert waybill.submit(pa.array(["a", "b"])).status().total == 2
    with pytest.raises(UsageError, match="a conversation is a list of messages"):
        waybill.submit(conversation)


def test_rows_without_a_prompt_are_warned_of_and_can_be_read(waybill: Waybill) -> None:
    with pytest.warns(
        UserWarning, match=r"3 lines were not sent: line 1 holds no prompt.*line 4 is a int"
    ) as w:
        batch = waybill.submit([None, float("nan"), "x", 4])  # type: ignore[list-item]
    assert len(_of_users(w)) == 1
    assert [(one.line, one.code) for one in batch.input_errors()] == [
        (1, "not_an_object"), (2, "not_an_object"), (4, "not_an_object")
    ]  # fmt: skip
    told: list[int] = []
    batch = waybill.submit([None, "x"], on_error=lambda error: told.append(error.line))  # type: ignore[list-item]
    assert (batch.status().invalid, told) == (1, [1])


def test_a_key_that_is_nearly_a_parameter_is_told(waybill: Waybill) -> None:
    lines = [{"prompt": f"say {n}", "max_tokenz": 5, "topic": "x"} for n in range(3)]
    with pytest.warns(UserWarning, match="is not read") as told:
        waybill.submit(lines)
    assert _of_users(told) == ["'max_tokenz' is not read; did you mean 'max_tokens'?"]


def _of_users(told: pytest.WarningsRecorder) -> list[str]:
    """What was said; the garbage collector warns of others' connections at any time."""
    return [str(one.message) for one in told if one.category is UserWarning]
