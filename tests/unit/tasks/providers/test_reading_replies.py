"""Whatever bytes a provider sends, reading them ends in a reply or in one of the errors of providers."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from tasks.providers import Deployment, ErrorKind, InternalError, ProviderError, Reply
from tasks.providers.exchange import Exchange
from tasks.providers.replies.parsing import parse_body
from tasks.providers.replies.reading import read_reply

NAMES = st.sampled_from(
    """
    choices message content role text delta index finish_reason native_finish_reason error code type status
    messages metadata details raw usage prompt_tokens completion_tokens refusal tool_calls function name
    arguments logprobs object reasoning_content audio images promptFeedback blockReason prompt_filter_results
    content_filter_results filtered detail candidates model data result x_groq success errors output
    """.split()  # noqa: SIM905
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(
    ["error", "stop", "length", "429", "[DONE]", "rate_limit_exceeded"]
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=20,
)
MESSAGES = st.dictionaries(NAMES, VALUES, max_size=4)
CHOICES = st.lists(st.fixed_dictionaries({}, optional={"message": MESSAGES, "delta": MESSAGES,
    "finish_reason": SCALARS, "index": SCALARS, "error": VALUES}) | VALUES, max_size=3)  # fmt: skip
BODIES = st.fixed_dictionaries(
    {},
    optional={"choices": CHOICES, **dict.fromkeys(("error", "usage", "code", "message", "model"), VALUES)},
)


def read(content: bytes) -> Reply | ProviderError:
    exchange = Exchange(session=SimpleNamespace(), max_response_bytes=10**6)  # type: ignore[arg-type]
    exchange.sent, exchange.status, exchange.content = True, 200, content
    try:
        return read_reply(exchange, deployment=Deployment("m", "openai/m"), request={}, latency_s=0.1)
    except ProviderError as error:
        return error


def check(outcome: Reply | ProviderError) -> None:
    if isinstance(outcome, Reply):
        # What is kept can be stored and exported.
        json.loads(json.dumps(outcome.body, allow_nan=False))
        assert outcome.body["choices"]
        assert set(outcome.notes) <= {"mended", "without_answer"}
    else:
        # An internal error would mean a shape that the readers do not stand.
        assert not isinstance(outcome, InternalError), outcome
        assert outcome.kind in ErrorKind


@given(BODIES)
@example({"choices": [{"message": {"content": ["x"]}}]})
@example({"choices": [{"message": {"tool_calls": [7]}}], "error": [1]})
def test_any_json_object_is_read_or_refused(body: dict[str, Any]) -> None:
    check(read(json.dumps(body).encode()))


@example([{"choices": [{"message": {"tool_calls": [None]}, "delta": {"tool_calls": [{}]}}]}], "\n\n")
@given(st.lists(BODIES, max_size=4), st.sampled_from(["\n\n", "\r\n\r\n", "\n", "\n: comment\n\n"]))
def test_any_stream_of_chunks_is_read_or_refused(chunks: list[dict[str, Any]], separator: str) -> None:
    check(read("".join(f"data: {json.dumps(chunk)}{separator}" for chunk in chunks).encode()))


@given(st.binary(max_size=200))
@example(b"\xff\xfe\x00")
@example(b"\x00\x00\x00\x00")
@example(b"data:")
@example(b": only a comment")
@example(b"[[[[")
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    check(read(content))


@given(VALUES, st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]))
def test_an_object_is_the_same_in_every_encoding(value: Any, encoding: str) -> None:
    text = json.dumps({"value": value}, allow_nan=True)
    parsed, plain = parse_body(text.encode(encoding)), parse_body(text)
    assert parsed == plain
    assert parsed is not None
