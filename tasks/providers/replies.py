"""Reads what a provider returned, and believes none of it before it has been checked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NoReturn

from tasks.providers.errors import ErrorKind, RetryableError, safe_code
from tasks.providers.interface import Endpoint, Reply

#: More tokens than any model's context holds: a count above it is a provider's mistake.
_MAX_TOKENS = 20_000_000
#: A model that was cut off or stopped by a filter may have said nothing.
_SILENT_ENDINGS = ("length", "content_filter")
_USAGE = ("prompt_tokens", "completion_tokens")
_SPOKEN = ("tool_calls", "function_call", "refusal")


def read_reply(
    body: dict[str, Any] | None, *, endpoint: Endpoint, request: Mapping[str, Any], latency_s: float
) -> Reply:
    """Return the reply in a chat completion; RetryableError (perhaps billed) if it holds no usable answer."""
    if body is None or not _is_usable(body):
        raise RetryableError(ErrorKind.GARBAGE, status=200, maybe_billed=True)
    usage = _usage(body, request)
    prompt, completion = usage or (0, 0)
    body["model"] = endpoint.name
    body["object"] = "chat.completion"
    return Reply(body, prompt, completion, latency_s, usage_known=usage is not None)


def body_of(answer: Any) -> dict[str, Any] | None:
    """LiteLLM's ModelResponse as JSON values; None for whatever else it let through."""
    try:
        return parse_body(answer.model_dump_json(exclude_none=True))
    except (AttributeError, TypeError, ValueError):
        return None


def parse_body(text: str | bytes) -> dict[str, Any] | None:
    """Return the JSON object in a reply; None where there is none."""
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
        return len(choices) > 0 and all(_answers(choice) for choice in choices) and _counts(body)
    except (AttributeError, KeyError, TypeError):
        # Whatever the provider sent, of whatever shape: it is no chat completion.
        return False


def _answers(choice: Mapping[str, Any]) -> bool:
    message = choice["message"]
    spoken = isinstance(message.get("content"), str) or any(message.get(part) for part in _SPOKEN)
    return spoken or choice.get("finish_reason") in _SILENT_ENDINGS


def _counts(body: Mapping[str, Any]) -> bool:
    """Return whether the usage, where there is one, is made of numbers: their size is judged elsewhere."""
    usage = body.get("usage") or {}
    return all(isinstance(usage.get(name), int | None) for name in _USAGE)


def _usage(body: Mapping[str, Any], request: Mapping[str, Any]) -> tuple[int, int] | None:
    """Prompt and completion tokens; None where the provider's counts cannot be true."""
    usage = body.get("usage") or {}
    prompt = _count(usage.get(_USAGE[0]), _MAX_TOKENS)
    completion = _count(usage.get(_USAGE[1]), _completion_bound(request))
    return None if prompt is None or completion is None else (prompt, completion)


def _count(value: object, bound: int) -> int | None:
    # Zero is what LiteLLM fills in where the provider sent nothing.
    return value if type(value) is int and 0 < value <= bound else None


def _completion_bound(request: Mapping[str, Any]) -> int:
    asked = request.get("max_completion_tokens") or request.get("max_tokens")
    return int(asked) * int(request.get("n") or 1) if asked else _MAX_TOKENS


def code_of(content: bytes) -> str | None:
    """Return the code in an error's body; its text is never read."""
    body = parse_body(content) or {}
    details = body.get("error", body)
    return safe_code(details.get("code")) if isinstance(details, dict) else None
