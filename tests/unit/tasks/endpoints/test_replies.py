"""Replies of every endpoint: which ones hold an answer, its text, and its shape in the flat columns."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.endpoints.registry import endpoint_of
from tasks.formats.outputs.flat import flat_row
from tasks.formats.results import ResultRecord
from tasks.stages.judging.texts import answer_of
from tasks.validation.endpoints import answer_of as held_by

RESPONSES, COMPLETIONS, EMBEDDINGS, MODERATIONS = (
    "/v1/responses", "/v1/completions", "/v1/embeddings", "/v1/moderations",
)  # fmt: skip


def message(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"type": "message", "role": "assistant", "content": list(parts)}


TEXT = {"type": "output_text", "text": "four", "annotations": []}
CALL = {"type": "function_call", "call_id": "c", "name": "add", "arguments": '{"a": 2}'}
THOUGHT = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "two and two"}]}

KEPT: list[tuple[str, dict[str, Any]]] = [
    (RESPONSES, {"status": "completed", "output": [message(TEXT)]}),
    (RESPONSES, {"output": [message(TEXT)]}),
    (RESPONSES, {"status": "completed", "output": [message({"type": "refusal", "refusal": "no"})]}),
    (RESPONSES, {"status": "completed", "output": [CALL]}),
    (RESPONSES, {"status": "completed", "output": [THOUGHT]}),
    (
        RESPONSES,
        {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}, "output": []},
    ),
    (COMPLETIONS, {"choices": [{"text": "four"}]}),
    (COMPLETIONS, {"choices": [{"text": ""}]}),
    (EMBEDDINGS, {"data": [{"index": 0, "embedding": [0.5]}]}),
    (EMBEDDINGS, {"data": [{"embedding": "AAAAPw=="}]}),
    (MODERATIONS, {"results": [{"flagged": False, "categories": {}}]}),
]
LOST: list[tuple[str, dict[str, Any]]] = [
    (RESPONSES, {"status": "failed", "output": [message(TEXT)]}),
    (RESPONSES, {"status": "queued", "output": []}),
    (RESPONSES, {"status": "completed", "output": []}),
    (RESPONSES, {"status": "completed", "output": [None]}),
    (RESPONSES, {"status": "completed", "output": "four"}),
    (RESPONSES, {"choices": [{"message": {"content": "four"}}]}),
    (COMPLETIONS, {"choices": []}),
    (COMPLETIONS, {"choices": [{"message": {"content": "four"}}]}),
    (EMBEDDINGS, {"data": []}),
    (EMBEDDINGS, {"data": [{"embedding": [0.5]}, {"embedding": [0.5]}]}),
    (EMBEDDINGS, {"data": [{"embedding": None}]}),
    (EMBEDDINGS, {"data": [{"embedding": []}]}),
    (MODERATIONS, {"results": []}),
    (MODERATIONS, {"results": [{"flagged": "yes"}]}),
]
REQUEST = {"input": "2 + 2", "prompt": "2 + 2"}


@pytest.mark.parametrize(("url", "reply"), KEPT)
def test_what_holds_an_answer_is_kept(url: str, reply: dict[str, Any]) -> None:
    assert endpoint_of(url).has_answer(reply, REQUEST)


@pytest.mark.parametrize(("url", "reply"), LOST)
def test_what_holds_none_is_not(url: str, reply: dict[str, Any]) -> None:
    assert not endpoint_of(url).has_answer(reply, REQUEST)


def flat(url: str, **body: Any) -> dict[str, Any]:
    record = ResultRecord("id", "a", 1, 200, {"model": "m", **body}, None, None, None, {}, endpoint=url)
    return flat_row(record)


def test_a_response_fills_the_flat_columns_as_a_chat_completion_does() -> None:
    usage = {"input_tokens": 3, "output_tokens": 9, "output_tokens_details": {"reasoning_tokens": 5}}
    row = flat(RESPONSES, status="completed", output=[THOUGHT, message(TEXT), CALL], usage=usage)
    assert row["answer"] == "four"
    assert row["reasoning"] == "two and two"
    assert row["finish_reason"] == "tool_calls"
    assert row["tool_calls"][0]["function"] == {"name": "add", "arguments": '{"a": 2}'}
    assert (row["prompt_tokens"], row["completion_tokens"], row["reasoning_tokens"]) == (3, 9, 5)
    assert row["model"] == "m"


def test_a_response_that_was_cut_says_why() -> None:
    row = flat(RESPONSES, status="incomplete", incomplete_details={"reason": "content_filter"}, output=[])
    assert row["finish_reason"] == "content_filter"


def test_vectors_and_findings_are_json_in_the_answer_column() -> None:
    data = [{"index": 1, "embedding": [2.0]}, {"index": 0, "embedding": [1.0]}]
    assert json.loads(flat(EMBEDDINGS, data=data)["answer"]) == [[1.0], [2.0]]
    assert json.loads(flat(EMBEDDINGS, data=data[:1])["answer"]) == [2.0]
    results = [{"flagged": True, "categories": {"violence": True, "hate": False}}]
    assert json.loads(flat(MODERATIONS, results=results)["answer"]) == {
        "flagged": True,
        "categories": ["violence"],
    }


@pytest.mark.parametrize("url", [RESPONSES, COMPLETIONS, EMBEDDINGS, MODERATIONS])
@pytest.mark.parametrize("body", [{}, {"object": "waybill.decision"}, {"output": [1, None], "data": [3]}])
def test_any_body_has_a_flat_row(url: str, body: dict[str, Any]) -> None:
    assert flat(url, **body)["answer"] is None


KEYS = st.sampled_from(
    ["output", "choices", "data", "results", "content", "type", "text", "refusal", "summary", "annotations",
     "embedding", "index", "flagged", "categories", "status", "usage", "incomplete_details", "arguments"]
)  # fmt: skip
WORDS = st.sampled_from(["message", "output_text", "reasoning", "function_call", "refusal", "incomplete"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.just(0.5) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=25,
)


@given(st.dictionaries(KEYS, JSON, max_size=6))
def test_no_reply_of_whatever_shape_breaks_the_reading_or_the_results(body: dict[str, Any]) -> None:
    for url in (RESPONSES, COMPLETIONS, EMBEDDINGS, MODERATIONS):
        endpoint = endpoint_of(url)
        endpoint.has_answer(body, REQUEST)
        assert isinstance(answer_of(body, url), str)
        held_by(body, endpoint=url)
        flat(url, **body)
