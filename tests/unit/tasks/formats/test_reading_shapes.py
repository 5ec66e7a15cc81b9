"""Known shapes of JSON lines."""

import json
from typing import Any

import pytest

from tasks.formats.inputs.options import input_options
from tasks.formats.reading import (
    InputError,
    ParsedRequest,
    requests_from,
)
from tests.support.json_lines import body, taken, user

SHAPES: list[tuple[str, dict[str, Any], list[dict[str, Any]]]] = [
    ("alpaca", {"instruction": "Add", "input": "1+1", "output": "2"}, user("Add\n\n1+1")),
    ("alpaca", {"instruction": "Add", "input": "", "system": "Brief"},
     [{"role": "system", "content": "Brief"}, *user("Add")]),
    ("sharegpt",
     {"conversations": [{"from": "system", "value": "s"}, {"from": "human", "value": "q"},
                        {"from": "gpt", "value": "a"}]},
     [{"role": "system", "content": "s"}, *user("q")]),
    ("mt-bench", {"question_id": 81, "turns": ["first", "second"]}, user("first")),
    ("fine-tuning", {"messages": [*user("q"), {"role": "assistant", "content": "a", "weight": 1}]},
     user("q")),
    ("anthropic", {"custom_id": "a", "params": {"max_tokens": 5, "system": "s", "messages": user("q")}},
     [{"role": "system", "content": "s"}, *user("q")]),
    ("gemini", {"key": "a", "request": {"contents": [{"role": "user", "parts": [{"text": "q"}]}]}},
     [{"role": "user", "content": [{"type": "text", "text": "q"}]}]),
]  # fmt: skip


@pytest.mark.parametrize(("shape", "line", "messages"), SHAPES)
def test_a_named_shape_is_read_and_an_unnamed_one_refused_with_its_name(
    shape: str, line: dict[str, Any], messages: list[dict[str, Any]]
) -> None:
    assert body(line, shape=shape)["messages"] == messages
    if shape != "fine-tuning":
        error = taken(line)
        assert isinstance(error, InputError)
        assert f"--shape {shape}" in error.reason
        assert next(iter(line)) in error.reason


def test_ids_of_shapes() -> None:
    assert taken(SHAPES[3][1], shape="mt-bench").custom_id == "81"
    assert taken(SHAPES[5][1], shape="anthropic").custom_id == "a"
    assert taken(SHAPES[6][1], shape="gemini").custom_id == "a"
    assert taken({"nr": 7, **SHAPES[0][1]}, shape="alpaca", id_column="nr").custom_id == "7"


def test_a_line_that_has_not_the_shape_named_is_refused_and_keeps_its_id() -> None:
    for shape, _, _ in SHAPES:
        error = taken({"id": "x", "text": "q"}, shape=shape)
        assert isinstance(error, InputError)
        assert (error.custom_id, error.code) == ("x", "invalid_messages")


def test_an_anthropic_request_keeps_its_tools_images_and_stop_sequences() -> None:
    params = {
        "model": "claude-x", "max_tokens": 9, "temperature": 0.5, "stop_sequences": ["END"],
        "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}],
        "tools": [{"name": "f", "description": "d", "input_schema": {"type": "object"}}],
        "tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": True},
        "metadata": {"user_id": "u"},
        "messages": [
            {"role": "user", "content": [
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA"}},
                {"type": "text", "text": "what?"},
            ]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "hm", "signature": "x"},
                {"type": "tool_use", "id": "c", "name": "f", "input": {"a": 1}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "c", "content": [{"type": "text", "text": "12"}]},
                {"type": "text", "text": "and now?"},
            ]},
        ],
    }  # fmt: skip
    notices: list[str] = []
    item = taken({"custom_id": "a", "params": params}, notices, shape="anthropic")
    assert isinstance(item, ParsedRequest)
    assert item.model is None
    assert len(notices) == 1
    assert json.loads(item.body) == {
        "max_tokens": 9, "temperature": 0.5, "stop": ["END"], "user": "u", "parallel_tool_calls": False,
        "tools": [{"type": "function", "function": {
            "name": "f", "description": "d", "parameters": {"type": "object"}}}],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "messages": [
            {"role": "system", "content": "s"},
            {"role": "user", "content": [
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}},
                {"type": "text", "text": "what?"},
            ]},
            {"role": "assistant", "content": None, "tool_calls": [
                {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}]},
            {"role": "tool", "tool_call_id": "c", "content": "12"},
            {"role": "user", "content": [{"type": "text", "text": "and now?"}]},
        ],
    }  # fmt: skip
    configured = taken({"custom_id": "a", "params": {**params, "model": "small"}}, shape="anthropic")
    assert isinstance(configured, ParsedRequest)
    assert configured.model == "small"


UNTRANSLATED = [
    ("anthropic", {"params": {"messages": user("q"), "mcp_servers": []}}),
    (
        "anthropic",
        {"params": {"messages": user("q"), "tools": [{"type": "web_search_20250305", "name": "w"}]}},
    ),
    ("anthropic", {"params": {"messages": [{"role": "user", "content": [{"type": "document"}]}]}}),
    *(("anthropic", {"params": {"messages": user("q"), **more}}) for more in (
        {"thinking": {"type": "adaptive"}},
        {"thinking": {"type": "enabled", "budget_tokens": 1024, "display": "omitted"}},
        {"thinking": {"type": "enabled"}},
        {"thinking": {"type": "enabled", "budget_tokens": -1}},
        {"thinking": "enabled"},
        {"top_k": 5},
        {"service_tier": "auto"},
        {"output_config": {"effort": "low"}},
        {"metadata": "u"},
        {"tool_choice": "any"},
        {"tool_choice": {"type": "auto", "mode": "x"}},
        {"tools": [{"name": "f", "input_schema": {}, "defer_loading": True}]},
        {"system": [{"type": "text", "text": "s", "citations": [{}]}]},
        {"messages": [{"role": "user", "content": "q", "name": "ann"}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "q", "citations": [{}]}]}]},
        {"messages": [{"role": "assistant", "content": [
            {"type": "image", "source": {"type": "url", "url": "https://x/y.png"}},
            {"type": "tool_use", "id": "c", "name": "f", "input": {}},
        ]}]},
    )),
    *(("gemini", {"request": {"contents": [{"parts": [part]}]}}) for part in (
        {"text": "q", "partMetadata": {}},
        {"inlineData": {"mimeType": "image/png", "data": "AA"}, "mediaResolution": {"level": "x"}},
        {"inlineData": {"mimeType": "image/png", "data": "AA", "x": 1}},
    )),
    ("gemini", {"request": {"contents": [{"parts": [{"text": "q"}], "name": "ann"}]}}),
    ("gemini", {"request": {"contents": [{"parts": [{"text": "q"}]}], "generationConfig": {"topK": 5}}}),
    ("gemini", {"request": {"contents": [{"parts": [{"text": "q"}]}], "tools": [{}]}}),
    ("gemini", {"request": {"contents": [{"parts": [{"fileData": {"fileUri": "gs://x"}}]}]}}),
    (
        "gemini",
        {"request": {"contents": [{"parts": [{"text": "q"}]}], "generationConfig": {"thinkingConfig": {}}}},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("shape", "line"), UNTRANSLATED)
def test_what_has_no_counterpart_is_refused_rather_than_left_out(shape: str, line: dict[str, Any]) -> None:
    assert isinstance(taken({"id": "a", **line}, shape=shape), InputError)


@pytest.mark.parametrize(
    ("budget", "effort"), [(1024, "low"), (2047, "low"), (2048, "medium"), (4096, "high"), (30_000, "high")]
)
def test_thinking_becomes_the_effort_with_no_larger_a_budget(budget: int, effort: str) -> None:
    params = {"messages": user("q"), "thinking": {"type": "enabled", "budget_tokens": budget}}
    notices: list[str] = []
    item = taken({"custom_id": "a", "params": params}, notices, shape="anthropic")
    assert isinstance(item, ParsedRequest)
    assert json.loads(item.body) == {"messages": user("q"), "reasoning_effort": effort}
    assert len(notices) == 1


def test_thinking_stays_as_it_is_where_a_model_takes_it() -> None:
    thinking = {"type": "enabled", "budget_tokens": 1024}
    line = {"custom_id": "a", "params": {"messages": user("q"), "thinking": thinking}}
    (item,) = requests_from(
        [line], models=["small"], options=input_options(shape="anthropic"), extra_params=["thinking"]
    )
    assert isinstance(item, ParsedRequest)
    assert json.loads(item.body) == {"messages": user("q"), "thinking": thinking}


def test_what_says_nothing_is_no_reason_to_refuse_a_line() -> None:
    params = {"messages": [{"role": "user", "content": [
        {"type": "text", "text": "q", "citations": None, "cache_control": {"type": "ephemeral"}}]}],
        "thinking": {"type": "disabled"}, "top_k": None}  # fmt: skip
    assert body({"custom_id": "a", "params": params}, shape="anthropic") == {
        "messages": [{"role": "user", "content": [{"type": "text", "text": "q"}]}]
    }


def test_earlier_thoughts_of_gemini_and_failures_of_tools_are_left_out() -> None:
    thought = {
        "parts": [{"text": "hm", "thought": True}, {"text": "a", "thoughtSignature": "x"}],
        "role": "model",
    }
    request = {"contents": [{"parts": [{"text": "q"}]}, thought, {"parts": [{"text": "r"}]}]}
    found = body({"key": "a", "request": request}, shape="gemini")["messages"]
    assert found[1] == {"role": "assistant", "content": [{"type": "text", "text": "a"}]}
    failed = {"type": "tool_result", "tool_use_id": "c", "content": "no file", "is_error": True}
    notices: list[str] = []
    taken({"custom_id": "a", "params": {"messages": [{"role": "user", "content": [failed]}]}}, notices,
          shape="anthropic")  # fmt: skip
    assert len(notices) == 1


def test_a_gemini_request_keeps_its_configuration() -> None:
    request = {
        "systemInstruction": {"parts": [{"text": "s"}]},
        "contents": [{"parts": [{"text": "q"}, {"inlineData": {"mimeType": "image/png", "data": "AA"}}]},
                     {"role": "model", "parts": [{"text": "a"}]}, {"role": "user", "parts": [{"text": "r"}]}],
        "generationConfig": {"maxOutputTokens": 5, "topP": 0.5, "stopSequences": ["x"], "candidateCount": 1,
                             "responseMimeType": "application/json"},
        "safetySettings": [{"category": "x"}],
    }  # fmt: skip
    found = body({"key": "a", "request": request}, shape="gemini")
    assert [message["role"] for message in found["messages"]] == ["system", "user", "assistant", "user"]
    del found["messages"]
    assert found == {
        "max_tokens": 5, "top_p": 0.5, "stop": ["x"], "n": 1, "response_format": {"type": "json_object"},
    }  # fmt: skip
