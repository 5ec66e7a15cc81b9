"""Answers of wrong types, with escapes or half an emoji: each flat format takes whatever comes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.formats.outputs.answer_columns import answer_columns
from tasks.formats.writing import ResultFormat, write_results
from tests.support.exports import CALL, REMARKS, answered, exported


def test_an_escape_within_a_structure_cannot_move_the_cursor_and_leaves_the_json_whole(
    tmp_path: Path,
) -> None:
    evil = '\x9b2J"\x1b]0;t\x07'
    call = {**CALL, "function": {"name": evil, "arguments": evil}}
    write_results([answered({"tool_calls": [call]})], tmp_path / "out", format=ResultFormat.CSV)
    assert not {"\x9b", "\x1b", "\x07"} & set((tmp_path / "out").read_text("utf-8"))
    row = exported(answered({"tool_calls": [call]}), ResultFormat.CSV, tmp_path)
    assert row["tool_calls"] == [call]


@pytest.mark.parametrize(
    "odd", [5, "x", [5], [[["x"]]], {"a": 1}, [{"a": []}], [{"image_url": 5}], True, [None]]
)
@pytest.mark.parametrize("form", [ResultFormat.JSONL, ResultFormat.CSV, ResultFormat.PARQUET])
def test_fields_of_the_wrong_type_do_not_stop_an_export(
    odd: object, form: ResultFormat, tmp_path: Path
) -> None:
    fields = (
        "content", "refusal", "reasoning", "tool_calls", "function_call", "annotations", "citations",
        "images", "audio", "thinking_blocks", "provider_specific_fields",
    )  # fmt: skip
    for field in fields:
        assert exported(answered({"content": None, field: odd}), form, tmp_path)["custom_id"] == "a"
    assert exported(answered({}, usage=odd, search_results=odd), form, tmp_path)["custom_id"] == "a"
    assert exported(answered({}, waybill=dict.fromkeys(REMARKS, odd)), form, tmp_path)["custom_id"] == "a"


def test_half_an_emoji_within_a_structure_does_not_stop_an_export(tmp_path: Path) -> None:
    call = {**CALL, "function": {"name": "add", "arguments": "\ud83d"}}
    row = exported(answered({"tool_calls": [call]}), ResultFormat.PARQUET, tmp_path)
    assert row["tool_calls"][0]["function"]["arguments"] == "?"


#: names that the columns look for, so that any value meets each of them
NAMES = st.sampled_from((
    "role", "content", "type", "text", "refusal", "reasoning", "reasoning_content", "thinking",
    "thinking_blocks", "tool_calls", "function_call", "function", "name", "arguments", "id",
    "annotations", "citations", "url_citation", "url", "title", "start_index", "images", "image_url",
    "audio", "data", "transcript", "provider_specific_fields", "search_results", "prompt_tokens",
    "prompt_tokens_details", "cached_tokens",
))  # fmt: skip
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
MESSAGES_OF_ANY_KIND = st.dictionaries(NAMES, JSON, max_size=6)


@settings(max_examples=150, deadline=None)
@given(message=MESSAGES_OF_ANY_KIND, body=MESSAGES_OF_ANY_KIND, usage=JSON, remarks=JSON)
def test_whatever_a_provider_sends_every_format_takes_it(
    tmp_path_factory: pytest.TempPathFactory, message: Any, body: Any, usage: Any, remarks: Any
) -> None:
    record = answered(message, waybill=dict.fromkeys(REMARKS, remarks), **{**body, "usage": usage})
    folder = tmp_path_factory.mktemp("any")
    for form in (ResultFormat.JSONL, ResultFormat.CSV, ResultFormat.PARQUET):
        assert exported(record, form, folder)["custom_id"] == "a"


def test_an_object_as_the_content_is_its_json() -> None:
    columns = answer_columns({}, {"message": {"role": "assistant", "content": {"sum": 4}}})
    assert columns["answer"] == '{"sum": 4}'
