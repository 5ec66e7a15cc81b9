"""The reading of replies to other endpoints than chat completions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tasks.endpoints.endpoint import Endpoint
from tasks.providers.errors import ErrorKind, RetryableError
from tasks.providers.interface import Deployment, Reply
from tasks.providers.usage import read_usage


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
    usage = read_usage(body, limit=_limit(endpoint, request), generates=endpoint.limit_key is not None)
    body["model"] = deployment.name
    return Reply(body, usage, latency_s)


def _limit(endpoint: Endpoint, request: Mapping[str, Any]) -> int | None:
    given = request.get(endpoint.limit_key or "")
    return max(given, endpoint.least_limit) if isinstance(given, int) else None
