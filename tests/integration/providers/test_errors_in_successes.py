"""Failures inside a 200, and answers that broke off, over both transports."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.providers import ErrorKind
from tests.support.provider_server import Call, answering
from tests.support.server_errors import CLASSES, K, error


def half(text: str = "half of a", **more: Any) -> dict[str, Any]:
    return {"index": 0, "message": {"role": "assistant", "content": text}, **more}


USED = {"prompt_tokens": 20, "completion_tokens": 10, "total_tokens": 30}
# name -> body, kind, the status that counts, whether it may be billed
IN_SUCCESSES: dict[str, tuple[dict[str, Any], ErrorKind, int, bool]] = {
    "a number": (error("Rate limit exceeded", code=429), K.RATE_LIMIT, 429, False),
    "a number as text": (error("Upstream", code="502"), K.SERVER, 502, False),
    "a bad gateway": (error("Provider returned error", code=502), K.SERVER, 502, False),
    "a status beside the error": ({**error("no"), "status": 503}, K.SERVER, 503, False),
    "a text code": (error("no", code="rate_limit_exceeded"), K.RATE_LIMIT, 200, False),
    "a type": (error("no", type="overloaded_error"), K.SERVER, 200, False),
    "a text": ({"error": "Rate limit exceeded"}, K.RATE_LIMIT, 200, False),
    "Anthropic's shape": (
        {"type": "error", "error": {"type": "rate_limit_error", "message": "x"}}, K.RATE_LIMIT, 200, False,
    ),
    "vLLM's old shape": (
        {"object": "error", "message": "This model's maximum context length is 9 tokens", "code": 400,
         "type": "BadRequestError"}, K.CONTEXT_WINDOW, 400, False,
    ),
    "a bad request": (error("no", type="invalid_request_error"), K.BAD_REQUEST, 200, False),
    "a context overflow by its type and message": (
        error("This model's maximum context length is 9 tokens", type="invalid_request_error"),
        K.CONTEXT_WINDOW, 200, False,
    ),
    "a flat status and message": ({"status": 429, "message": "slow down"}, K.RATE_LIMIT, 429, False),
    "a key": (error("no", code=401), K.AUTHENTICATION, 401, False),
    "credit": (error("Insufficient credits", code=402), K.PAYMENT, 402, False),
    "an error beside empty choices": ({**error("slow", code=429), "choices": []}, K.RATE_LIMIT, 429, False),
    "an unknown error": (error("not this time"), K.SERVER, 200, False),
    "half a text": ({"choices": [half(finish_reason="error")], "usage": USED}, K.SERVER, 200, True),
    "half a text, by the provider's own reason": (
        {"choices": [half(finish_reason="stop", native_finish_reason="error")]}, K.SERVER, 200, True,
    ),
    "a choice with an error": (
        {"choices": [half("", finish_reason="error", error={"code": 429, "message": "slow"})]},
        K.RATE_LIMIT, 429, False,
    ),
    "half a text and an error": (
        {"choices": [half(finish_reason=None)], "error": {"code": 502}}, K.SERVER, 502, True,
    ),
    "Gemini's blocked prompt": (
        {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 9}},
        K.CONTENT_POLICY, 200, True,
    ),
    "Azure's blocked prompt": (
        {"choices": [], "prompt_filter_results": [
            {"prompt_index": 0, "content_filter_results": {"hate": {"filtered": True, "severity": "high"}}}]},
        K.CONTENT_POLICY, 200, False,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", IN_SUCCESSES)
def test_a_failure_inside_a_success_is_read_as_what_it_says(call: Call, name: str) -> None:
    body, kind, status, maybe_billed = IN_SUCCESSES[name]
    result = call(answering(body)).error
    assert (type(result), result.kind, result.status) == (CLASSES[kind], kind, status)
    assert result.maybe_billed is maybe_billed


def test_what_a_broken_off_answer_used_is_known(call: Call) -> None:
    body = {"choices": [half(finish_reason="error")], "usage": USED}
    usage = call(answering(body)).error.usage
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens) == (20, 10)


@pytest.mark.parametrize(
    "more", [{"error": None}, {"error": {}}, {"error": {"message": "late", "code": 500}}]
)
def test_an_answer_that_ended_well_is_kept_whatever_stands_beside_it(
    call: Call, more: dict[str, Any]
) -> None:
    body = {"choices": [half("four", finish_reason="stop")], "usage": USED, **more}
    assert call(answering(body)).message["content"] == "four"


def test_one_good_choice_of_several_is_kept_with_the_others_as_they_are(call: Call) -> None:
    broken = {**half(finish_reason="error"), "index": 1}
    body = {"choices": [half("four", finish_reason="stop"), broken], "usage": USED}
    assert call(answering(body)).reply.body["choices"] == body["choices"]
