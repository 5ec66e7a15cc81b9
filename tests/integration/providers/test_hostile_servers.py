"""Both transports against servers that misbehave."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from aiohttp import web

from tasks.providers import ErrorKind, RetryableError, TerminalError
from tasks.providers.chat_parameters import NO_KEY
from tests.support.comparisons import assert_fields
from tests.support.provider_server import COMPLETION, REQUEST, Call, Handler, answering, serve


def compressed(body: bytes, encoding: str) -> Handler:
    return answering(body, headers={"Content-Encoding": encoding})


def test_a_redirect_is_not_followed(call: Call) -> None:
    paths: list[str] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        paths.append(request.path)
        raise web.HTTPTemporaryRedirect("/elsewhere")

    error = call(handler).error
    assert isinstance(error, TerminalError)
    assert error.status == 307
    assert paths == ["/v1/chat/completions"]


@pytest.mark.parametrize("provider", ["anthropic", "azure", "deepseek", "gemini", "groq", "mistral"])
def test_the_exchange_is_recorded_with_every_provider(provider: str) -> None:
    """LiteLLM has other HTTP clients than openai's for these; Waybill's transport must be used by all."""
    received: list[str] = []

    async def limited(request: web.Request) -> web.StreamResponse:
        received.append(request.path)
        return web.json_response({"error": {"message": "slow"}}, status=429, headers={"Retry-After": "7"})

    async def elsewhere(request: web.Request) -> web.StreamResponse:
        received.append(request.path)
        raise web.HTTPTemporaryRedirect("/elsewhere")

    async def html(request: web.Request) -> web.StreamResponse:
        received.append(request.path)
        return web.Response(text="<html>", content_type="text/html")

    expected: list[tuple[Handler, ErrorKind, float | None, bool]] = [
        (limited, ErrorKind.RATE_LIMIT, 7.0, False),
        (elsewhere, ErrorKind.NOT_FOUND, None, False),
        (html, ErrorKind.INVALID_REPLY, None, True),
    ]
    for handler, kind, retry_after_s, maybe_billed in expected:
        error = serve(handler, transport="litellm", model=f"{provider}/model", key="sk-key").error
        assert_fields(error, kind=kind, retry_after_s=retry_after_s, maybe_billed=maybe_billed)
    assert len(received) == len(expected)


def test_keys_in_the_environment_stay_there(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-from-the-environment")
    sent: list[str] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        sent.append(request.headers["Authorization"])
        return web.json_response(COMPLETION)

    assert call(handler, key=None).reply
    assert call(handler, key="sk-configured").reply
    assert sent == [f"Bearer {NO_KEY}", "Bearer sk-configured"]


def test_a_request_cannot_set_options_of_litellm(call: Call) -> None:
    received: list[dict[str, Any]] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        received.append(await request.json())
        return web.json_response(COMPLETION)

    options = {
        "api_base": "http://127.0.0.1:1/v1",
        "api_key": "sk-theirs",
        "extra_headers": {"X-Theirs": "1"},
        "fallbacks": ["other"],
        "mock_response": "mocked",
        "model": "other",
        "num_retries": 3,
        "stream": True,
    }
    reply = call(handler, {**REQUEST, **options, "temperature": 0.5}).reply
    assert reply.body["choices"][0]["message"]["content"] == "four"
    assert [(body["model"], body["temperature"], body.get("stream", False)) for body in received] == [
        ("model", 0.5, False)
    ]


def test_connections_are_reused(call: Call) -> None:
    connections: set[object] = set()

    async def handler(request: web.Request) -> web.StreamResponse:
        connections.add(request.transport)
        return web.json_response(COMPLETION)

    assert call(handler, times=5).reply
    assert len(connections) == 1


def test_a_reply_without_a_length_is_stopped_at_the_bound(call: Call) -> None:
    sent = 0

    async def handler(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        while sent < 200_000_000:
            await response.write(b" " * 1_000_000)
            sent += 1_000_000
        return response

    error = call(handler, max_response_bytes=100_000).error
    assert isinstance(error, RetryableError)
    assert error.kind is ErrorKind.INVALID_REPLY
    assert sent < 100_000_000


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_a_reply_that_is_compressed_unasked_is_an_answer(
    call: Call, encoding: str, pack: Callable[[bytes], bytes]
) -> None:
    body = pack(json.dumps(COMPLETION).encode())
    reply = call(compressed(body, encoding)).reply
    assert reply.body["choices"] == COMPLETION["choices"]


@pytest.mark.parametrize("encoding", ["gzip", "br"])
def test_a_compressed_reply_is_refused_before_it_grows(call: Call, encoding: str) -> None:
    body = gzip.compress(json.dumps(COMPLETION).encode() + b" " * 200_000_000, compresslevel=1)
    error = call(compressed(body, encoding), max_response_bytes=100_000).error
    assert isinstance(error, RetryableError)
    assert error.kind is ErrorKind.INVALID_REPLY


@pytest.mark.parametrize(
    ("status", "echo", "kind"),
    [
        (400, "Rate limit reached; Request timed out; A timeout occurred", ErrorKind.BAD_REQUEST),
        (503, "This model's maximum context length is 8192 tokens", ErrorKind.SERVER),
        (503, "invalid_request_error content_policy_violation", ErrorKind.SERVER),
        (422, "unprocessable", ErrorKind.BAD_REQUEST),
        (504, "gateway timeout", ErrorKind.TIMEOUT),
        (418, "teapot", ErrorKind.BAD_REQUEST),
    ],
)
def test_the_status_decides_whatever_words_an_error_echoes(
    call: Call, status: int, echo: str, kind: ErrorKind
) -> None:
    body = {"error": {"message": echo, "type": "error", "code": "Bearer sk-secret"}}
    error = call(answering(body, status=status)).error
    assert_fields(error, kind=kind, status=status, code=None)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {**COMPLETION, "choices": None},
        {**COMPLETION, "choices": "four"},
        {**COMPLETION, "choices": [{"index": 0, "finish_reason": "stop"}]},
        {**COMPLETION, "choices": [{"index": 0, "message": None, "finish_reason": "stop"}]},
    ],
)
def test_a_success_of_the_wrong_shape_is_an_invalid_reply(call: Call, body: Mapping[str, Any]) -> None:
    error = call(answering(body)).error
    assert isinstance(error, RetryableError)
    assert_fields(error, kind=ErrorKind.INVALID_REPLY, maybe_billed=True)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "7",
        json.dumps(COMPLETION).replace('"four"', "[" * 50_000 + "]" * 50_000),
        json.dumps(COMPLETION).replace('"four"', "1" * 5_000),
    ],
    ids=["empty", "no object", "deep", "a number of 5,000 digits"],
)
def test_a_success_that_no_store_could_hold_is_an_invalid_reply(call: Call, text: str) -> None:
    error = call(answering(text), max_response_bytes=1_000_000).error
    assert isinstance(error, RetryableError)
    assert_fields(error, kind=ErrorKind.INVALID_REPLY, maybe_billed=True)


def test_a_count_above_the_limit_on_completion_tokens_is_not_trusted(call: Call) -> None:
    assert call(answering(COMPLETION), {**REQUEST, "max_tokens": 1}).reply.usage
    implausible = {**COMPLETION, "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}}
    assert call(answering(implausible), {**REQUEST, "max_tokens": 1}).reply.usage is None


def test_a_tool_call_is_an_answer(call: Call) -> None:
    function = {"name": "add", "arguments": "{}"}
    tool_call = {"id": "call_1", "type": "function", "function": function}
    message = {"role": "assistant", "content": None, "tool_calls": [tool_call]}
    choices = [{"index": 0, "message": message, "finish_reason": "tool_calls"}]
    reply = call(answering({**COMPLETION, "choices": choices})).reply
    assert reply.body["choices"][0]["message"]["tool_calls"][0]["function"]["name"] == "add"


def test_a_turn_that_anthropic_ends_without_a_word_is_an_empty_text() -> None:
    usage = {"input_tokens": 20, "output_tokens": 3}
    message = {"type": "message", "id": "m", "role": "assistant", "model": "c", "content": []}
    body = {**message, "stop_reason": "end_turn", "stop_sequence": None, "usage": usage}
    reply = serve(answering(body), transport="litellm", model="anthropic/claude-sonnet-4-5").reply
    assert reply.body["choices"][0]["message"]["content"] == ""
    assert reply.notes == {"without_answer": True}
