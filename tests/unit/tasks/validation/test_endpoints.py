"""What requests demand and replies hold, in the shapes of each endpoint."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tasks.validation.endpoints import answer_of, expectation_of, invalid_schema, with_text
from tasks.validation.values import Answer, Expectation

S = {"type": "object", "required": ["a"]}
NO_SCHEMA = {"type": 1}
TEXT = json.dumps(S, separators=(",", ":"))
CHAT, RESPONSES, COMPLETIONS = "/v1/chat/completions", "/v1/responses", "/v1/completions"
FORMAT = {"type": "json_schema", "name": "n", "strict": True, "schema": S}


@pytest.mark.parametrize(
    ("endpoint", "request_", "schema"),
    [
        (CHAT, {}, None),
        (CHAT, {"response_format": {"type": "text"}}, None),
        (CHAT, {"response_format": None}, None),
        (CHAT, {"response_format": {"type": "json_object"}}, '{"type":"object"}'),
        (CHAT, {"response_format": {"type": "json_object", "schema": S}}, TEXT),
        (CHAT, {"response_format": {"type": "json_object", "response_schema": S}}, TEXT),
        (CHAT, {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": S}}}, TEXT),
        (CHAT, {"response_format": {"type": "json_schema", "json_schema": {"name": "n"}}}, "{}"),
        (CHAT, {"guided_json": S}, TEXT),
        (CHAT, {"guided_json": json.dumps(S)}, TEXT),
        (CHAT, {"structured_outputs": {"json": S}}, TEXT),
        (CHAT, {"structured_outputs": {"regex": "a"}}, None),
        (CHAT, {"json_schema": S}, TEXT),
        (CHAT, {"output_config": {"format": {"type": "json_schema", "schema": S}}}, TEXT),
        (CHAT, {"output_config": {"effort": "low"}}, None),
        (RESPONSES, {"text": {"format": FORMAT}}, TEXT),
        (RESPONSES, {"text": {"format": {"type": "json_object"}}}, '{"type":"object"}'),
        (RESPONSES, {"text": {"verbosity": "low"}}, None),
        ("/v1/embeddings", {"response_format": {"type": "json_object"}}, None),
    ],
)
def test_the_schema_of_the_text(endpoint: str, request_: Any, schema: str | None) -> None:
    assert expectation_of(request_, endpoint=endpoint).schema == schema


def test_tools_count_where_one_is_strict() -> None:
    strict = {"name": "s", "strict": True, "parameters": S}
    loose = {"name": "l", "parameters": S}
    bare = {"name": "b", "strict": True}
    chat = {"tools": [{"type": "function", "function": one} for one in (strict, loose, bare)]}
    expected = (("s", TEXT), ("l", None), ("b", None))
    assert expectation_of(chat).tools == expected
    responses = {"tools": [{"type": "function", **one} for one in (strict, loose, bare)]}
    assert expectation_of(responses, endpoint=RESPONSES).tools == expected
    custom = {"type": "custom", "custom": {"name": "g"}}
    assert expectation_of({"tools": [*chat["tools"], custom]}).tools == (*expected, ("g", None))
    assert expectation_of({"functions": [strict]}).tools == (("s", TEXT),)
    assert not expectation_of({"tools": [{"type": "function", "function": loose}, {"type": "web_search"}]})


def test_validators_are_for_texts() -> None:
    assert expectation_of({}, validators=["json"]) == Expectation(validators=("json",))
    assert not expectation_of({}, endpoint="/v1/embeddings", validators=["json"])
    assert expectation_of({}, endpoint=COMPLETIONS, validators=["json"])


@pytest.mark.parametrize(
    "request_",
    [
        {"response_format": {"type": "json_schema", "json_schema": "S"}},
        {"response_format": {"type": "json_schema", "json_schema": {"schema": "{"}}},
        {"guided_json": "x"},
        {"response_format": {"type": "json_schema", "json_schema": {"schema": {"type": 1}}}},
        {"tools": [{"type": "function", "function": {"name": "f", "strict": True, "parameters": NO_SCHEMA}}]},
        {"tools": [{"type": "function", "function": {"name": "f", "strict": True, "parameters": []}}]},
        {"guided_json": {"$ref": "https://example.com"}},
    ],
)
def test_a_request_with_a_schema_that_cannot_be_used_is_invalid(request_: Any) -> None:
    assert "schema" in (invalid_schema(request_) or "")


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"tools": None},
        {"tools": ["x"]},
        {"response_format": "json"},
        {"text": "x"},
        {"guided_json": None},
    ],
)
def test_odd_parameters_demand_nothing(request_: Any) -> None:
    assert invalid_schema(request_) is None
    assert not expectation_of(request_)


def chat(message: Any, finish: str = "stop") -> dict[str, Any]:
    return {"choices": [{"index": 0, "message": message, "finish_reason": finish}]}


CALL = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
CUSTOM = {"id": "1", "type": "custom", "custom": {"name": "g", "input": "any"}}
PARTS = [{"type": "output_text", "text": "a"}, {"type": "output_text", "text": "b"}]
OUTPUT = [
    {"type": "reasoning", "summary": []},
    {
        "type": "message",
        "content": [{"type": "output_text", "text": "a"}, {"type": "output_text", "text": "b"}],
    },
    {"type": "function_call", "name": "f", "arguments": "{}"},
]


@pytest.mark.parametrize(
    ("endpoint", "reply", "answer"),
    [
        (CHAT, chat({"content": "a"}), Answer("a")),
        (
            CHAT,
            chat({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}),
            Answer("ab"),
        ),
        (CHAT, chat({"content": None, "refusal": "no"}), Answer(None, refused=True)),
        (CHAT, chat({"content": "a"}, "length"), Answer("a", cut="length")),
        (CHAT, chat({"content": ""}, "content_filter"), Answer("", cut="content_filter")),
        (CHAT, chat({"content": None, "tool_calls": [CALL]}), Answer(None, (("f", "{}"),))),
        (CHAT, chat({"content": None, "function_call": CALL["function"]}), Answer(None, (("f", "{}"),))),
        (CHAT, chat({"content": None, "tool_calls": [CUSTOM]}), Answer(None, (("g", '"any"'),))),
        (CHAT, chat({"content": ["a", {"type": "text", "text": "b"}]}), Answer("ab")),
        (CHAT, chat({"content": [{"type": "reasoning", "text": "x"}, *PARTS]}), Answer("ab")),
        (CHAT, chat({"content": [{"type": "refusal", "refusal": "no"}]}), Answer(None, refused=True)),
        (CHAT, chat({"content": "a"}, "MAX_TOKENS"), Answer("a", cut="length")),
        (CHAT, {}, Answer(None)),
        (CHAT, {"choices": [None]}, Answer(None)),
        (COMPLETIONS, {"choices": [{"text": "a", "finish_reason": "length"}]}, Answer("a", cut="length")),
        (RESPONSES, {"output": OUTPUT}, Answer("ab", (("f", "{}"),))),
        (
            RESPONSES,
            {"output": [{"type": "custom_tool_call", "name": "g", "input": "any"}]},
            Answer(None, (("g", '"any"'),)),
        ),
        (
            RESPONSES,
            {"output": [{"type": "message", "content": [{"type": "refusal", "refusal": "no"}]}]},
            Answer(None, refused=True),
        ),
        (
            RESPONSES,
            {"output": [], "incomplete_details": {"reason": "max_output_tokens"}},
            Answer(None, cut="length"),
        ),
    ],
)
def test_what_a_reply_holds(endpoint: str, reply: Any, answer: Answer) -> None:
    assert answer_of(reply, endpoint=endpoint) == answer


@pytest.mark.parametrize(
    ("endpoint", "reply"),
    [
        (CHAT, {"id": 1, **chat({"role": "assistant", "content": "a"})}),
        (CHAT, chat({"content": [{"type": "text", "text": "a"}]})),
        (CHAT, chat({"content": ["a", {"type": "text", "text": "b"}]})),
        (COMPLETIONS, {"choices": [{"text": "a", "index": 0}]}),
        (RESPONSES, {"id": 1, "output": OUTPUT}),
    ],
)
def test_the_text_is_replaced_and_nothing_else(endpoint: str, reply: Any) -> None:
    before = json.dumps(reply)
    changed = with_text(reply, "new", endpoint=endpoint)
    assert answer_of(changed, endpoint=endpoint).text == "new"
    assert json.dumps(reply) == before
    assert changed.keys() == reply.keys()


def test_a_new_text_leaves_thoughts_and_images_in_their_places() -> None:
    others = [{"type": "thinking", "thinking": "hm"}, {"type": "image_url", "image_url": {"url": "data:,"}}]
    content = [others[0], {"type": "text", "text": "```"}, others[1], {"type": "text", "text": "a"}]
    changed = with_text(chat({"role": "assistant", "content": content}), "new")
    assert changed["choices"][0]["message"]["content"] == [*others, {"type": "text", "text": "new"}]
