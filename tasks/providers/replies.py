"""The parsing and validation of providers' responses, which are untrusted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NoReturn

from tasks.providers.errors import ErrorKind, RetryableError, safe_code
from tasks.providers.interface import Deployment, Reply
from tasks.providers.usage import read_usage

#: The finish reasons with which a message may be empty: the token limit, or a filter.
_EMPTY_FINISH_REASONS = ("length", "content_filter")
#: The fields that a message may have instead of `content`.
_CONTENT_ALTERNATIVES = ("tool_calls", "function_call", "refusal")


def read_reply(
    body: dict[str, Any] | None, *, deployment: Deployment, request: Mapping[str, Any], latency_s: float
) -> Reply:
    """Return the reply in a chat completion.

    Args:
        body: The parsed response; None if it was no JSON object. Its `model` and `object` are overwritten.
        deployment: The deployment that was called.
        request: The body of the request, for the limit on the completion tokens.
        latency_s: The duration of the call.

    Raises:
        RetryableError: The response holds no usable answer; the call may be billed.
    """
    if body is None or not _is_usable(body):
        raise RetryableError(ErrorKind.INVALID_REPLY, status=200, maybe_billed=True)
    usage = read_usage(body, limit=_output_limit(request))
    body["model"] = deployment.name
    body["object"] = "chat.completion"
    return Reply(body, usage, latency_s)


def body_of(answer: Any) -> dict[str, Any] | None:
    """Return LiteLLM's ModelResponse as JSON values; None for anything else that it returned."""
    try:
        return parse_body(answer.model_dump_json(exclude_none=True))
    except (AttributeError, TypeError, ValueError):
        return None


def parse_body(text: str | bytes) -> dict[str, Any] | None:
    """Return the JSON object in a response's body; None if it is none."""
    try:
        body = _DECODER.decode(text if isinstance(text, str) else text.decode())
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def _refuse_constant(_name: str) -> NoReturn:
    raise ValueError("NaN and Infinity are not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def _is_usable(body: Mapping[str, Any]) -> bool:
    try:
        choices = body["choices"]
        return len(choices) > 0 and all(_is_answer(choice) for choice in choices)
    except (AttributeError, KeyError, TypeError):
        # The body has another structure than a chat completion.
        return False


def _is_answer(choice: Mapping[str, Any]) -> bool:
    message = choice["message"]
    has_content = isinstance(message.get("content"), str)
    has_alternative = any(message.get(field) for field in _CONTENT_ALTERNATIVES)
    return has_content or has_alternative or choice.get("finish_reason") in _EMPTY_FINISH_REASONS


def _output_limit(request: Mapping[str, Any]) -> int | None:
    limit = request.get("max_completion_tokens") or request.get("max_tokens")
    return int(limit) * int(request.get("n") or 1) if limit else None


def error_code_of(content: bytes) -> str | None:
    """Return the code in the body of an error response; its text is never read."""
    body = parse_body(content) or {}
    details = body.get("error", body)
    return safe_code(details.get("code")) if isinstance(details, dict) else None
