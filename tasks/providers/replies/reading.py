"""The reading of a response: what holds any answer is kept, and paid once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from router_core.pricing import Usage
from tasks.providers.error_classification import classify_failure
from tasks.providers.errors import ErrorKind, InternalError, ProviderError, RetryableError
from tasks.providers.exchange import Exchange
from tasks.providers.interface import Deployment, Reply
from tasks.providers.replies.answers import has_answer, is_kept, usable_choices
from tasks.providers.replies.failures import failure_in
from tasks.providers.replies.mapped import is_rewritten
from tasks.providers.replies.parsing import ParsedBody, parse_body
from tasks.providers.usage import read_usage

#: the word of `mended` for choices that hold no message
_CHOICES = "choices"


def read_reply(
    exchange: Exchange,
    *,
    deployment: Deployment,
    request: Mapping[str, Any],
    latency_s: float,
    mapped: ParsedBody | None = None,
    otherwise: ProviderError | None = None,
) -> Reply:
    """Return the reply in a chat completion.

    Args:
        exchange: The call, with the response as the provider sent it.
        deployment: The deployment that was called.
        request: The body of the request, for the limit on the completion tokens.
        latency_s: The duration of the call.
        mapped: What LiteLLM made of the response; it counts where the provider has another API than OpenAI's.

        otherwise: The error where the response holds no answer; None: an invalid reply.

    Raises:
        ProviderError: The response holds a failure, or no answer.
    """
    outcome = _outcome(exchange, deployment, request, latency_s, mapped)
    if isinstance(outcome, Reply):
        return outcome
    raise outcome or otherwise or _invalid(exchange)


def _outcome(
    exchange: Exchange,
    deployment: Deployment,
    request: Mapping[str, Any],
    latency_s: float,
    mapped: ParsedBody | None,
) -> Reply | ProviderError | None:
    """Return the reply, or the failure in the response; None if it holds neither."""
    try:
        return _read(exchange, deployment, request, latency_s, mapped)
    except Exception as error:
        # A response of a shape that nobody thought of: it is paid, and not bought again.
        return InternalError(type(error).__name__, status=exchange.status, maybe_billed=True)


def _read(
    exchange: Exchange,
    deployment: Deployment,
    request: Mapping[str, Any],
    latency_s: float,
    mapped: ParsedBody | None,
) -> Reply | ProviderError | None:
    parsed = parse_body(exchange.content or b"")
    failure = failure_in(parsed.value) if parsed else None
    if failure is not None:
        error = classify_failure(
            failure.details, exchange, datetime.now(UTC), maybe_billed=failure.maybe_billed
        )
        error.usage = read_usage(parsed.value, limit=_output_limit(request)) if parsed else None
        return error
    body = _with_choices(_chosen(parsed, mapped))
    if body is None:
        return None
    # LiteLLM moves counts and guesses some: what the provider sent comes first.
    sent = read_usage(parsed.value, limit=_output_limit(request)) if parsed else None
    usage = sent or read_usage(body.value, limit=_output_limit(request))
    return _reply(body, deployment, usage, latency_s)


def _invalid(exchange: Exchange) -> ProviderError:
    return RetryableError(ErrorKind.INVALID_REPLY, status=exchange.status or 200, maybe_billed=True)


def _chosen(parsed: ParsedBody | None, mapped: ParsedBody | None) -> ParsedBody | None:
    """Return the response as it was sent, if that is a chat completion, else as LiteLLM mapped it."""
    is_completion = parsed is not None and bool(usable_choices(parsed.value))
    is_sent = is_completion and parsed is not None and not is_rewritten(parsed.value)
    return parsed if is_sent or mapped is None else mapped


def _with_choices(body: ParsedBody | None) -> ParsedBody | None:
    """Return the body with the choices that hold a message; None if none of them is worth keeping."""
    if body is None:
        return None
    choices = usable_choices(body.value)
    if not any(is_kept(choice) for choice in choices):
        return None
    mended = body.mended if choices == body.value["choices"] else (*body.mended, _CHOICES)
    return ParsedBody({**body.value, "choices": choices}, mended)


def _reply(body: ParsedBody, deployment: Deployment, usage: Usage | None, latency_s: float) -> Reply:
    body.value["model"] = deployment.name
    body.value["object"] = "chat.completion"
    return Reply(body.value, usage, latency_s, notes=_notes(body))


def _notes(body: ParsedBody) -> dict[str, Any]:
    """Return the remarks on an answer for `waybill` in the results."""
    notes: dict[str, Any] = {"mended": sorted(body.mended)} if body.mended else {}
    if not any(has_answer(choice) for choice in body.value["choices"]):
        notes["without_answer"] = True
    return notes


def _output_limit(request: Mapping[str, Any]) -> int | None:
    limit = request.get("max_completion_tokens") or request.get("max_tokens")
    return int(limit) * int(request.get("n") or 1) if limit else None
