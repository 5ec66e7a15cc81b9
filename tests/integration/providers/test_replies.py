"""Replies as providers really send them, over both transports: what holds any answer is kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tasks.providers import ErrorKind
from tests.support.provider_server import Call, answering

TOOL_CALL = {"id": "call_1", "type": "function", "function": {"name": "add", "arguments": "{}"}}
LOGPROBS = {"content": [{"token": "x", "logprob": "-Infinity", "bytes": [120], "top_logprobs": []}]}


def choice(
    message: object = None, *, index: int = 0, reason: str | None = "stop", **more: Any
) -> dict[str, Any]:
    return {"index": index, "message": message, "finish_reason": reason, **more}


def said(content: object, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content, **more}


def completion(*choices: object, **more: Any) -> dict[str, Any]:
    usage = {"prompt_tokens": 20, "completion_tokens": 10, "total_tokens": 30}
    return {
        "id": "r", "object": "chat.completion", "created": 1, "model": "m", "choices": list(choices),
        "usage": usage, **more,
    }  # fmt: skip


def encoded(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body).encode()


# name -> choices, the notes
KEPT: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "text": ([choice(said("four"))], {}),
    "refusal": ([choice(said(None, refusal="I cannot help with that."))], {}),
    "reasoning alone": (
        [choice(said(None, reasoning_content="a long thought"), reason="length")],
        {"without_answer": True},
    ),
    "reasoning under OpenRouter's name": ([choice(said("", reasoning="hm"))], {"without_answer": True}),
    "reasoning beside an answer": ([choice(said("four", reasoning_content="hm"))], {}),
    "parts": ([choice(said([{"type": "text", "text": "final"}]))], {}),
    "parts with a thought": (
        [choice(said([{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"text": "x"}]))],
        {},
    ),
    "a thought alone in parts": (
        [choice(said([{"type": "thinking", "thinking": "hm"}]), reason="length")],
        {"without_answer": True},
    ),
    "a second empty choice": ([choice(said("four")), choice(said(None), index=1)], {}),
    "a first empty choice": ([choice(said(None)), choice(said("four"), index=1)], {}),
    "audio": ([choice(said(None, audio={"id": "a", "data": "AA==", "transcript": "four"}))], {}),
    "images": (
        [
            choice(
                said("", images=[{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}])
            )
        ],
        {},
    ),
    "a tool call": ([choice(said(None, tool_calls=[TOOL_CALL]), reason="tool_calls")], {}),
    "a tool call beside empty text": ([choice(said("", tool_calls=[TOOL_CALL]), reason="tool_calls")], {}),
    "a function call": ([choice(said(None, function_call={"name": "f", "arguments": "{}"}))], {}),
    "annotations": ([choice(said("four", annotations=[{"type": "url_citation", "url_citation": {}}]))], {}),
    "no finish reason": ([{"index": 0, "message": said("four")}], {}),
    "a null finish reason": ([choice(said("four"), reason=None)], {}),
    "an unknown finish reason": ([choice(said("four"), reason="eos")], {}),
    "an empty text": ([choice(said(""))], {"without_answer": True}),
    "nothing at the token limit": ([choice(said(None), reason="length")], {"without_answer": True}),
    "nothing by a filter": ([choice(said(None), reason="content_filter")], {"without_answer": True}),
    "a NUL": ([choice(said("fo\0ur"))], {}),
    "half a surrogate pair": ([choice(said("half \ud83d"))], {}),
    "unknown fields": ([choice(said("four", mood="good"), native_finish_reason="STOP")], {}),
}


@pytest.mark.parametrize("name", KEPT)
def test_what_holds_an_answer_is_kept_as_the_provider_sent_it(call: Call, name: str) -> None:
    choices, notes = KEPT[name]
    reply = call(answering(completion(*choices))).reply
    assert reply.body["choices"] == choices
    assert reply.notes == notes
    assert reply.usage is not None
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (20, 10)


# name -> the bytes, the choices that are kept, what was mended
MENDED: dict[str, tuple[bytes, list[Any], list[str]]] = {
    "minus infinity in log-probabilities": (
        encoded(completion(choice(said("x"), logprobs=LOGPROBS))).replace(b'"-Infinity"', b"-Infinity"),
        [choice(said("x"), logprobs={"content": [{**LOGPROBS["content"][0], "logprob": None}]})],
        ["numbers"],
    ),
    "NaN": (
        encoded(completion(choice(said("x"), score="?"))).replace(b'"?"', b"NaN"),
        [choice(said("x"), score=None)],
        ["numbers"],
    ),
    "a number without end": (
        encoded(completion(choice(said("x"), score="?"))).replace(b'"?"', b"1e999"),
        [choice(said("x"), score=None)],
        ["numbers"],
    ),
    "a number of 5,000 digits": (
        encoded(completion(choice(said("x"), score="?"))).replace(b'"?"', b"1" * 5000),
        [choice(said("x"), score=None)],
        ["numbers"],
    ),
    "a byte order mark": (
        b"\xef\xbb\xbf" + encoded(completion(choice(said("four")))),
        [choice(said("four"))],
        [],
    ),
    "UTF-16": (json.dumps(completion(choice(said("four")))).encode("utf-16"), [choice(said("four"))], []),
    "leading newlines": (b"\n\n \n" + encoded(completion(choice(said("four")))), [choice(said("four"))], []),
    "comments that keep the connection open": (
        b": OPENROUTER PROCESSING\n\n" * 3 + encoded(completion(choice(said("four")))),
        [choice(said("four"))],
        [],
    ),
    "bytes that are no text": (
        encoded(completion(choice(said("fo?r")))).replace(b"?", b"\xff"),
        [choice(said("fo\ufffdr"))],
        ["text"],
    ),
    "null choices beside a good one": (
        encoded(completion(None, choice(said("four")))),
        [choice(said("four"))],
        ["choices"],
    ),
    "a choice without a message beside a good one": (
        encoded(completion(choice(said("four")), {"index": 1})),
        [choice(said("four"))],
        ["choices"],
    ),
    "the text of a completion": (
        encoded(completion({"index": 0, "text": "four", "finish_reason": "stop"})),
        [{"index": 0, "text": "four", "finish_reason": "stop", "message": said("four")}],
        ["choices"],
    ),
    "a stream that nobody asked for": (
        b'data: {"id":"r","choices":[{"index":0,"delta":{"role":"assistant","content":"fo"}}]}\n\n'
        b': keep-alive\n\n'
        b'data: {"id":"r","choices":[{"index":0,"delta":{"content":"ur"},"finish_reason":"stop"}]}\n\n'
        b'data: {"choices":[],"usage":{"prompt_tokens":20,"completion_tokens":10,"total_tokens":30}}\n\n'
        b"data: [DONE]\n\n",
        [choice(said("four"))],
        ["event_stream"],
    ),
    "a stream of a tool call": (
        b'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"call_1","type":"function",'
        b'"function":{"name":"add","arguments":"{"}}]}}]}\r\n\r\n'
        b'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"}"}}]},'
        b'"finish_reason":"tool_calls"}]}\r\n\r\n'
        b'data: {"choices":[],"usage":{"prompt_tokens":20,"completion_tokens":10,"total_tokens":30}}\r\n\r\n',
        [choice(said(None, tool_calls=[{**TOOL_CALL, "index": 0}]), reason="tool_calls")],
        ["event_stream"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MENDED)
def test_only_what_cannot_be_kept_is_mended_and_named(call: Call, name: str) -> None:
    content, choices, mended = MENDED[name]
    reply = call(answering(content)).reply
    assert reply.body["choices"] == choices
    assert reply.notes.get("mended", []) == mended
    assert reply.usage is not None
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (20, 10)


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": 20.0, "completion_tokens": 10.0},
        {"prompt_tokens": "20", "completion_tokens": "10"},
        {"prompt_tokens": 20, "completion_tokens": 10, "total_tokens": None},
    ],
)
def test_token_counts_may_be_floats_and_texts(call: Call, usage: Mapping[str, Any]) -> None:
    reply = call(answering(completion(choice(said("x")), usage=usage))).reply
    assert reply.usage is not None
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (20, 10)


@pytest.mark.parametrize("usage", [7, "many", {"prompt_tokens": "many"}, [], {"prompt_tokens": []}])
def test_an_answer_with_a_strange_usage_is_kept_at_an_unknown_cost(call: Call, usage: object) -> None:
    reply = call(answering(completion(choice(said("x")), usage=usage))).reply
    assert reply.usage is None


def test_citations_of_the_whole_completion_are_kept(call: Call) -> None:
    body = completion(
        choice(said("four [1]")), citations=["https://a.example"], search_results=[{"url": "u"}]
    )
    reply = call(answering(body)).reply
    assert (reply.body["citations"], reply.body["search_results"]) == (
        body["citations"],
        body["search_results"],
    )


@pytest.mark.parametrize(
    "choices",
    [
        None,
        [],
        [None],
        "four",
        [choice(said(None))],
        [choice(None)],
        [choice(said([]))],
        [choice(said(None, tool_calls=[]))],
        [choice(said(None)), choice(said(None), index=1)],
        [{"index": 0, "finish_reason": "length"}],
    ],
)
def test_a_completion_without_any_answer_is_an_invalid_reply(call: Call, choices: object) -> None:
    error = call(answering({**completion(), "choices": choices})).error
    assert (error.kind, error.maybe_billed) == (ErrorKind.INVALID_REPLY, True)


def test_prompt_and_answer_of_a_strange_reply_stay_out_of_the_error(call: Call) -> None:
    body = completion(choice(None, text=7), error_message="canary")
    error = call(answering(body)).error
    assert "canary" not in f"{error} {error!r} {vars(error)}"
    assert error.__context__ is None
