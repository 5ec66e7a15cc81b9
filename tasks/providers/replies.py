"""Reads what LiteLLM returned, and believes none of it before it has been checked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tasks.providers.errors import ErrorKind, RetryableError
from tasks.providers.values import Endpoint, Reply

#: More tokens than any model's context holds: a count above it is a provider's mistake.
_MAX_TOKENS = 20_000_000
#: A model that was cut off or stopped by a filter may have said nothing.
_SILENT_ENDINGS = ("length", "content_filter")
_SPOKEN = ("tool_calls", "function_call", "refusal")


def read_reply(answer: Any, *, endpoint: Endpoint, request: Mapping[str, Any], latency_s: float) -> Reply:
    """The reply in LiteLLM's ModelResponse; RetryableError (perhaps billed) if it holds no usable answer."""
    body = _read_body(answer, endpoint.max_response_bytes)
    if body is None:
        raise RetryableError(ErrorKind.GARBAGE, status=200, maybe_billed=True)
    usage = _usage(body, request)
    prompt, completion = usage or (0, 0)
    body["model"] = endpoint.name
    return Reply(body, prompt, completion, latency_s, usage_known=usage is not None)


def _read_body(answer: Any, max_bytes: int) -> dict[str, Any] | None:
    try:
        text: str = answer.model_dump_json(exclude_none=True)
        body: dict[str, Any] = json.loads(text)
        return body if len(text.encode()) <= max_bytes and _is_usable(body) else None
    except (AttributeError, KeyError, TypeError, ValueError):
        # Whatever LiteLLM let through, of whatever shape: it is no chat completion.
        return None


def _is_usable(body: Mapping[str, Any]) -> bool:
    choices = body["choices"]
    return len(choices) > 0 and all(_answers(choice) for choice in choices)


def _answers(choice: Mapping[str, Any]) -> bool:
    message = choice["message"]
    spoken = isinstance(message.get("content"), str) or any(message.get(part) for part in _SPOKEN)
    return spoken or choice.get("finish_reason") in _SILENT_ENDINGS


def _usage(body: Mapping[str, Any], request: Mapping[str, Any]) -> tuple[int, int] | None:
    """Prompt and completion tokens; None where the provider's counts cannot be true."""
    usage = body.get("usage") or {}
    prompt = _count(usage.get("prompt_tokens"), _MAX_TOKENS)
    completion = _count(usage.get("completion_tokens"), _completion_bound(request))
    return None if prompt is None or completion is None else (prompt, completion)


def _count(value: object, bound: int) -> int | None:
    # Zero is what LiteLLM fills in where the provider sent nothing.
    return value if type(value) is int and 0 < value <= bound else None


def _completion_bound(request: Mapping[str, Any]) -> int:
    asked = request.get("max_completion_tokens") or request.get("max_tokens")
    return int(asked) * int(request.get("n") or 1) if asked else _MAX_TOKENS
