"""Lines of every endpoint: what is accepted, what is refused, and what the router gets to see."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.endpoints.registry import ENDPOINTS
from tasks.formats.inputs.options import input_options
from tasks.formats.reading import requests_from
from tasks.formats.requests import InputError, ParsedRequest, request_hash
from tests.support.comparisons import assert_fields

MODELS = ("small", "large")
KEYS = st.sampled_from(
    ["input", "prompt", "messages", "role", "user", "content", "type", "message", "reasoning", "text",
     "input_text", "image_url", "call_id", "name", "arguments", "output", "instructions", "tools", "model"]
)  # fmt: skip
RESPONSES, COMPLETIONS, EMBEDDINGS, MODERATIONS = (
    "/v1/responses", "/v1/completions", "/v1/embeddings", "/v1/moderations",
)  # fmt: skip
IMAGE = "https://x/y.png"


def one(item: object, **options: Any) -> ParsedRequest | InputError:
    return next(requests_from([item], models=MODELS, options=input_options(**options)))


def line(url: str, **body: Any) -> ParsedRequest | InputError:
    return one({"custom_id": "a", "method": "POST", "url": url, "body": body})


def user(*parts: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"input": [{"role": "user", "content": list(parts)}], **more}


GOOD: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (RESPONSES, {"input": "hi"}, {"prompt": "hi", "messages": 2, "max_tokens": None, "model": None}),
    (RESPONSES, {"input": "hi", "max_output_tokens": 7, "instructions": "be brief"}, {"max_tokens": 7}),
    (
        RESPONSES,
        {
            "input": [
                {"role": "user", "content": "one"},
                {"role": "assistant", "content": "two"},
                {"type": "message", "role": "user", "content": "three"},
            ]
        },
        {"prompt": "one\n\nthree"},
    ),
    (
        RESPONSES,
        user({"type": "input_text", "text": "what?"}, {"type": "input_image", "image_url": IMAGE}),
        {"prompt": "what?"},
    ),
    (RESPONSES, user({"type": "input_file", "file_id": "file-1"}), {"prompt": ""}),
    (
        RESPONSES,
        {"input": [{"role": "system", "content": "x"}], "instructions": "say hi"},
        {"prompt": "say hi"},
    ),
    (
        RESPONSES,
        {
            "input": [
                {"role": "user", "content": "x"},
                {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "c", "output": "42"},
                {"type": "reasoning", "id": "rs_1", "summary": []},
            ]
        },
        {"prompt": "x", "messages": 5},
    ),
    (RESPONSES, {"input": "hi", "previous_response_id": None, "background": False, "stream": False}, {}),
    (RESPONSES, {"input": "hi", "tools": [{"type": "function", "name": "f", "parameters": {}}]}, {}),
    (
        COMPLETIONS,
        {"prompt": "Once", "max_tokens": 5, "echo": True, "n": 1},
        {"prompt": "Once", "max_tokens": 5},
    ),
    (COMPLETIONS, {"prompt": [1, 2, 3], "model": "small"}, {"prompt": "", "model": "small"}),
    (EMBEDDINGS, {"input": "a", "model": "small", "dimensions": 8}, {"prompt": "a", "messages": 1}),
    (EMBEDDINGS, {"input": ["a", "b"], "model": "small"}, {"messages": 2}),
    (EMBEDDINGS, {"input": [1, 2], "model": "small"}, {"messages": 1}),
    (EMBEDDINGS, {"input": [[1, 2], [3]], "model": "small", "encoding_format": "base64"}, {"messages": 2}),
    (MODERATIONS, {"input": "bad"}, {"prompt": "bad", "model": None}),
    (MODERATIONS, {"input": ["a", "b"]}, {"prompt": "a\n\nb", "messages": 2}),
    (
        MODERATIONS,
        {"input": [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": IMAGE}}]},
        {"prompt": "a"},
    ),
]


@pytest.mark.parametrize(("url", "body", "expected"), GOOD)
def test_a_good_line_keeps_its_body_and_its_endpoint(
    url: str, body: dict[str, Any], expected: dict[str, Any]
) -> None:
    request = line(url, **body)
    assert isinstance(request, ParsedRequest), request
    assert_fields(request, endpoint=url, **expected)
    assert json.loads(request.body) == {name: value for name, value in body.items() if name != "model"}


BAD: list[tuple[str, str, dict[str, Any]]] = [
    ("missing_input", RESPONSES, {"messages": [{"role": "user", "content": "x"}]}),
    ("invalid_input", RESPONSES, {"input": 5}),
    ("invalid_input", RESPONSES, {"input": []}),
    ("invalid_input", RESPONSES, {"input": [{"role": "king", "content": "x"}]}),
    ("invalid_input", RESPONSES, {"input": [{"role": "user", "content": 5}]}),
    ("invalid_input", RESPONSES, {"input": [{"type": "item_reference", "id": "x"}]}),
    ("invalid_input", RESPONSES, {"input": [{"type": "function_call", "call_id": "c", "name": "f"}]}),
    ("invalid_input", RESPONSES, user({"type": "input_image", "image_url": "file:///etc/passwd"})),
    ("invalid_input", RESPONSES, user({"type": "input_text"})),
    ("empty_prompt", RESPONSES, {"input": " "}),
    ("invalid_parameter", RESPONSES, {"input": "x", "previous_response_id": "resp_1"}),
    ("invalid_parameter", RESPONSES, {"input": "x", "conversation": "c"}),
    ("invalid_parameter", RESPONSES, {"input": "x", "prompt": {"id": "p"}}),
    ("invalid_parameter", RESPONSES, {"input": "x", "background": True}),
    ("invalid_parameter", RESPONSES, {"input": "x", "stream": True}),
    ("invalid_parameter", RESPONSES, {"input": "x", "tools": [{"type": "web_search"}]}),
    ("invalid_parameter", RESPONSES, {"input": "x", "tools": [{"type": "mcp", "server_url": "http://evil"}]}),
    ("invalid_parameter", RESPONSES, {"input": "x", "max_tokens": 5}),
    ("invalid_parameter", RESPONSES, {"input": "x", "api_base": "http://evil"}),
    (
        "invalid_schema",
        RESPONSES,
        {"input": "x", "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": 5}}}},
    ),
    ("missing_prompt", COMPLETIONS, {"messages": []}),
    ("invalid_prompt", COMPLETIONS, {"prompt": ["a", "b"]}),
    ("invalid_prompt", COMPLETIONS, {"prompt": {"a": 1}}),
    ("empty_prompt", COMPLETIONS, {"prompt": ""}),
    ("invalid_parameter", COMPLETIONS, {"prompt": "x", "n": 2}),
    ("invalid_parameter", COMPLETIONS, {"prompt": "x", "best_of": 3}),
    ("invalid_parameter", COMPLETIONS, {"prompt": "x", "stream": True}),
    ("invalid_parameter", COMPLETIONS, {"prompt": "x", "messages": []}),
    ("missing_model", EMBEDDINGS, {"input": "x"}),
    ("missing_model", EMBEDDINGS, {"input": "x", "model": "auto"}),
    ("unknown_model", EMBEDDINGS, {"input": "x", "model": "huge"}),
    ("invalid_input", EMBEDDINGS, {"input": [], "model": "small"}),
    ("invalid_input", EMBEDDINGS, {"input": ["a", 1], "model": "small"}),
    ("invalid_input", EMBEDDINGS, {"input": [1, "a"], "model": "small"}),
    ("empty_prompt", EMBEDDINGS, {"input": ["a", ""], "model": "small"}),
    ("empty_prompt", EMBEDDINGS, {"input": [[1], []], "model": "small"}),
    ("invalid_parameter", EMBEDDINGS, {"input": "x", "model": "small", "encoding_format": "hex"}),
    ("invalid_parameter", EMBEDDINGS, {"input": "x", "model": "small", "dimensions": 0}),
    ("invalid_parameter", EMBEDDINGS, {"input": "x", "model": "small", "temperature": 1}),
    ("invalid_input", MODERATIONS, {"input": [5]}),
    ("invalid_input", MODERATIONS, {"input": [{"type": "text"}]}),
    ("empty_prompt", MODERATIONS, {"input": " "}),
    ("invalid_parameter", MODERATIONS, {"input": "x", "temperature": 1}),
]


@pytest.mark.parametrize(("code", "url", "body"), BAD)
def test_a_bad_line_of_an_endpoint_is_refused_with_its_code(
    code: str, url: str, body: dict[str, Any]
) -> None:
    error = line(url, **body)
    assert isinstance(error, InputError), error
    assert error.code == code


def test_no_reason_quotes_what_could_be_a_prompt() -> None:
    secret = "my secret prompt"
    lines = [
        line(RESPONSES, input=[{"type": secret}]),
        line(RESPONSES, input=[{"role": secret, "content": secret}]),
        line(RESPONSES, input="x", tools=[{"type": secret}]),
        line(COMPLETIONS, prompt=[secret, secret]),
        line(EMBEDDINGS, input=[secret, 1], model="small"),
        line(MODERATIONS, input=[{"type": secret}]),
    ]
    assert [found for found in lines if not isinstance(found, InputError) or secret in found.reason] == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 9) | st.text(max_size=3) | KEYS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=15,
)


@given(st.sampled_from(sorted(ENDPOINTS)), st.dictionaries(KEYS, JSON, max_size=4))
def test_no_body_of_whatever_shape_raises(url: str, body: dict[str, Any]) -> None:
    named = {"model": "small", **body}
    found = [line(url, **named), one({**named, "url": url})]
    for item in found:
        if isinstance(item, ParsedRequest):
            endpoint = ENDPOINTS[item.endpoint]
            assert endpoint.prompt_of(json.loads(item.body)) == item.prompt
            assert isinstance(endpoint.question_of(json.loads(item.body)), str)


def test_a_plain_line_may_name_its_endpoint() -> None:
    request = one({"id": 1, "url": EMBEDDINGS, "input": "hello", "model": "small"})
    assert_fields(request, endpoint=EMBEDDINGS, custom_id="1", prompt="hello")
    request = one({"endpoint": RESPONSES, "input": "hello", "system": "be brief", "label": "x"})
    assert isinstance(request, ParsedRequest)
    assert json.loads(request.body) == {"input": "hello", "instructions": "be brief"}


def test_other_values_of_these_keys_belong_to_a_data_set() -> None:
    request = one({"prompt": "hello", "url": "https://example.com/page", "endpoint": "payments"})
    assert_fields(request, endpoint="/v1/chat/completions", prompt="hello")


def test_an_input_without_an_endpoint_is_refused_with_the_way_out() -> None:
    error = one({"input": "hello"})
    assert isinstance(error, InputError)
    assert error.code == "missing_messages"
    assert "an input needs a url, which names its endpoint" in error.reason


@pytest.mark.parametrize("url", [RESPONSES, COMPLETIONS, MODERATIONS])
def test_texts_are_for_the_endpoint_of_the_options(url: str) -> None:
    assert_fields(one("hello", endpoint=url), endpoint=url, prompt="hello", model=None)
    assert_fields(one({"prompt": "hello"}, endpoint=url.removeprefix("/v1/")), endpoint=url)


def test_texts_to_embed_take_the_only_model_of_the_batch() -> None:
    assert_fields(one("hello", endpoint=EMBEDDINGS, models=["large"]), model="large", endpoint=EMBEDDINGS)
    error = one("hello", endpoint=EMBEDDINGS, models=MODELS)
    assert isinstance(error, InputError)
    assert error.code == "missing_model"


def test_requests_of_different_endpoints_are_no_duplicates() -> None:
    hashes = {request_hash("m", '{"input":"x"}', path) for path in ENDPOINTS}
    assert len(hashes) == len(ENDPOINTS)
    # Those of chat completions are as they always were.
    assert request_hash("m", "{}").hex() == "1b521624bec99e22638062e5446feb9a"
