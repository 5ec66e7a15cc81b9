"""What a model answered besides text, in the flat formats: as columns, whatever place its provider uses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tasks.formats.outputs.flat import COLUMNS, flat_row
from tasks.formats.writing import ResultFormat
from tests.support.comparisons import assert_fields
from tests.support.exports import CALL, REMARKS, answered, exported

NO_CITATION = dict.fromkeys(("url", "title", "text", "start_index", "end_index"))

#: a message, and the columns that it fills
MESSAGES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "text": ({"content": "yes"}, {"answer": "yes"}),
    "empty text": ({"content": ""}, {"answer": ""}),
    "nothing": ({"content": None}, {"answer": None}),
    "parts": (
        {
            "content": [
                {"type": "text", "text": "a"},
                {"type": "text", "text": None},
                {"type": "text", "text": "b"},
            ]
        },
        {"answer": "ab"},
    ),
    "parts that are texts": ({"content": ["a", "b"]}, {"answer": "ab"}),
    "a part alone": ({"content": {"type": "text", "text": "a"}}, {"answer": "a"}),
    "a number": ({"content": 42}, {"answer": "42"}),
    "a thought as a part with text": (
        {"content": [{"type": "reasoning", "text": "hm"}, {"type": "text", "text": "a"}]},
        {"answer": "a", "reasoning": "hm"},
    ),
    "a tool call outside of a list": ({"content": None, "tool_calls": CALL}, {"tool_calls": [CALL]}),
    "a call of a custom tool": (
        {"tool_calls": [{"id": "c2", "type": "custom", "custom": {"name": "f", "input": "any text"}}]},
        {"tool_calls": [{"id": "c2", "type": "custom", "function": {"name": "f", "arguments": "any text"}}]},
    ),
    "refusal": ({"content": None, "refusal": "no"}, {"answer": None, "refusal": "no"}),
    "refusal as a part": (
        {"content": [{"type": "refusal", "refusal": "no"}]},
        {"answer": None, "refusal": "no"},
    ),
    "reasoning of DeepSeek": (
        {"content": "4", "reasoning_content": "2+2"},
        {"answer": "4", "reasoning": "2+2"},
    ),
    "reasoning of OpenRouter": ({"content": None, "reasoning": "2+2"}, {"answer": None, "reasoning": "2+2"}),
    "thinking of Anthropic": (
        {"content": "4", "thinking_blocks": [{"type": "thinking", "thinking": "2+2", "signature": "x"}]},
        {"answer": "4", "reasoning": "2+2"},
    ),
    "thinking of Mistral": (
        {
            "content": [
                {"type": "thinking", "thinking": [{"type": "text", "text": "2+2"}]},
                {"type": "text", "text": "4"},
            ]
        },
        {"answer": "4", "reasoning": "2+2"},
    ),
    "tool calls": ({"content": None, "tool_calls": [CALL]}, {"answer": None, "tool_calls": [CALL]}),
    "tool calls with objects as arguments": (
        {"content": None, "tool_calls": [{**CALL, "function": {"name": "add", "arguments": {"a": 1}}}]},
        {"tool_calls": [CALL]},
    ),
    "function call of the old API": (
        {"content": None, "function_call": {"name": "add", "arguments": '{"a": 1}'}},
        {"tool_calls": [{**CALL, "id": None}]},
    ),
    "annotations": (
        {
            "content": "see",
            "annotations": [
                {
                    "type": "url_citation",
                    "url_citation": {
                        "url": "https://a.example",
                        "title": "A",
                        "start_index": 0,
                        "end_index": 3,
                    },
                }
            ],
        },
        {
            "citations": [
                {**NO_CITATION, "url": "https://a.example", "title": "A", "start_index": 0, "end_index": 3}
            ]
        },
    ),
    "citations of Anthropic through LiteLLM": (
        {
            "content": "see",
            "provider_specific_fields": {
                "citations": [[{"cited_text": "sky", "document_title": "D", "start_char_index": 4}]]
            },
        },
        {"citations": [{**NO_CITATION, "title": "D", "text": "sky", "start_index": 4}]},
    ),
    "the end of a place in a document of Anthropic": (
        {"content": "see", "citations": [{"document_title": "D", "end_char_index": 9}]},
        {"citations": [{**NO_CITATION, "title": "D", "end_index": 9}]},
    ),
    "a file as a citation": (
        {"content": "see", "annotations": [{"type": "file", "file_citation": {"filename": "a.pdf"}}]},
        {"citations": [{**NO_CITATION, "title": "a.pdf"}]},
    ),
    "a citation with a snippet": (
        {"content": "see", "citations": [{"url": "https://a.example", "snippet": "sky"}]},
        {"citations": [{**NO_CITATION, "url": "https://a.example", "text": "sky"}]},
    ),
    "images": (
        {
            "content": "here",
            "images": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}],
        },
        {"answer": "here", "images": ["data:image/png;base64,AA"]},
    ),
    "image as a part": (
        {"content": [{"type": "image_url", "image_url": {"url": "https://a.example/1.png"}}]},
        {"answer": None, "images": ["https://a.example/1.png"]},
    ),
    "audio": (
        {"content": None, "audio": {"id": "a", "data": "UklG", "transcript": "yes", "expires_at": 1}},
        {"answer": "yes", "audio": {"id": "a", "data": "UklG", "transcript": "yes"}},
    ),
}

#: a usage block, and the counts in it
USAGES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "OpenAI": (
        {
            "prompt_tokens": 20, "completion_tokens": 9, "prompt_tokens_details": {"cached_tokens": 4},
            "completion_tokens_details": {"reasoning_tokens": 5},
        },
        {"cached_tokens": 4, "reasoning_tokens": 5},
    ),
    "Anthropic": (
        {"cache_read_input_tokens": 7, "cache_creation_input_tokens": 8},
        {"cached_tokens": 7, "cache_write_tokens": 8},
    ),
    "DeepSeek": ({"prompt_cache_hit_tokens": 6, "prompt_cache_miss_tokens": 1}, {"cached_tokens": 6}),
    "numbers as text and as floats": (
        {"prompt_tokens": "20", "completion_tokens": 10.0}, {"prompt_tokens": 20, "completion_tokens": 10},
    ),
    "no numbers": (
        {"prompt_tokens": "many", "completion_tokens": float("inf"), "prompt_tokens_details": [1]},
        {"prompt_tokens": None, "completion_tokens": None, "cached_tokens": None},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MESSAGES)
def test_each_part_of_a_message_has_its_column(name: str) -> None:
    message, expected = MESSAGES[name]
    row = flat_row(answered(message))
    assert_fields(row, **expected)
    filled = {column for column in COLUMNS[COLUMNS.index("refusal") :] if row[column] is not None}
    assert filled <= set(expected)


@pytest.mark.parametrize("form", [ResultFormat.JSONL, ResultFormat.CSV, ResultFormat.PARQUET])
@pytest.mark.parametrize("name", MESSAGES)
def test_each_format_holds_the_same(name: str, form: ResultFormat, tmp_path: Path) -> None:
    message, expected = MESSAGES[name]
    row = exported(answered(message), form, tmp_path)
    empty = "" if form is ResultFormat.CSV else None
    assert_fields(row, **{column: empty if value is None else value for column, value in expected.items()})


@pytest.mark.parametrize("name", USAGES)
def test_token_counts_by_kind_are_found_under_each_name(name: str) -> None:
    usage, expected = USAGES[name]
    assert_fields(flat_row(answered({"content": "x"}, usage=usage)), **expected)


def test_search_results_beside_the_message_are_citations() -> None:
    found = {"title": "A", "url": "https://a.example", "date": "2026-01-01"}
    row = flat_row(answered({"content": "x"}, search_results=[found], citations=["https://b.example"]))
    assert row["citations"] == [{**NO_CITATION, "url": "https://a.example", "title": "A"}]
    row = flat_row(answered({"content": "x"}, citations=["https://b.example"]))
    assert row["citations"] == [{**NO_CITATION, "url": "https://b.example"}]


@pytest.mark.parametrize("form", [ResultFormat.JSONL, ResultFormat.PARQUET])
def test_remarks_have_columns(form: ResultFormat, tmp_path: Path) -> None:
    assert_fields(exported(answered({"content": "x"}, waybill=REMARKS), form, tmp_path), **REMARKS)


@pytest.mark.parametrize("more", [{}, {"reasoning": "hm"}])
def test_log_probabilities_are_kept(more: dict[str, str], tmp_path: Path) -> None:
    record = answered({"content": "x", **more})
    assert record.body is not None
    record.body["choices"][0]["logprobs"] = {"content": [{"token": "x", "logprob": float("-inf")}]}
    row = exported(record, ResultFormat.PARQUET, tmp_path)
    assert json.loads(row["logprobs"]) == {"content": [{"token": "x", "logprob": None}]}


def test_columns_of_earlier_versions_come_first() -> None:
    assert COLUMNS[:20] == (
        "custom_id", "line", "model", "answer", "finish_reason", "prompt_tokens", "completion_tokens",
        "category", "predicted", "gap", "used_fallback", "reason", "router_version", "cost_usd", "latency_ms",
        "attempts", "duplicate_of", "status_code", "error_code", "error_message",
    )  # fmt: skip
