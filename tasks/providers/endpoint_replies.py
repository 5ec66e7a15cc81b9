"""The reading of replies to other endpoints than chat completions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tasks.endpoints.endpoint import Endpoint
from tasks.providers.errors import ErrorKind, RetryableError
from tasks.providers.interface import Deployment, Reply

_MAX_TOKENS = 20_000_000


def read_endpoint_reply(
    body: dict[str, Any] | None,
    endpoint: Endpoint,
    *,
    deployment: Deployment,
    request: Mapping[str, Any],
    latency_s: float,
) -> Reply:
    """Return the reply in a response; its `model` is overwritten. Raises RetryableError without an answer."""
    if body is None or not endpoint.has_answer(body):
        raise RetryableError(ErrorKind.INVALID_REPLY, status=200, maybe_billed=True)
    usage = _usage(body.get("usage"), endpoint, request)
    prompt, completion = usage or (0, 0)
    body["model"] = deployment.name
    return Reply(body, prompt, completion, latency_s, usage_known=usage is not None)


def _usage(usage: object, endpoint: Endpoint, request: Mapping[str, Any]) -> tuple[int, int] | None:
    """Return the input and output tokens; None if a count is missing or implausible."""
    if not isinstance(usage, dict):
        return None
    sent = _count(usage, ("input_tokens", "prompt_tokens"), least=1, most=_MAX_TOKENS)
    if endpoint.limit_key is None:
        return None if sent is None else (sent, 0)
    most = max(request.get(endpoint.limit_key) or _MAX_TOKENS, endpoint.least_limit)
    written = _count(usage, ("output_tokens", "completion_tokens"), least=1, most=most)
    return None if sent is None or written is None else (sent, written)


def _count(usage: Mapping[str, Any], names: tuple[str, ...], *, least: int, most: int) -> int | None:
    value = next((usage[name] for name in names if name in usage), None)
    return value if type(value) is int and least <= value <= most else None
