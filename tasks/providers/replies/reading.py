"""The reading of a response: what holds any answer is kept, and paid once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from router_core.pricing import Usage
from tasks.content.answers import answer_text
from tasks.endpoints.endpoint import CHAT_PATH, Endpoint
from tasks.endpoints.registry import endpoint_of
from tasks.providers.error_classification import classify_failure
from tasks.providers.errors import ErrorKind, InternalError, ProviderError, RetryableError
from tasks.providers.exchange import Exchange
from tasks.providers.interface import Deployment, Reply
from tasks.providers.replies.answers import has_answer, is_kept, usable_choices
from tasks.providers.replies.failures import failure_in
from tasks.providers.replies.mapped import is_rewritten, with_empty_text
from tasks.providers.replies.parsing import ParsedBody, parse_body
from tasks.providers.replies.places import in_place
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
    endpoint: str = CHAT_PATH,
) -> Reply:
    """Return the reply in a response.

    Args:
        exchange: The call, with the response as the provider sent it.
        deployment: The deployment that was called.
        request: The body of the request, for the limit on the completion tokens.
        latency_s: The duration of the call.
        mapped: What LiteLLM made of the response; it counts where the provider has another API than OpenAI's.
        otherwise: The error where the response holds no answer; None: an invalid reply.
        endpoint: The path of the API that was called.

    Raises:
        ProviderError: The response holds a failure, or no answer.
    """
    called = _Called(deployment, request, endpoint_of(endpoint), latency_s)
    outcome = _outcome(exchange, called, mapped)
    if isinstance(outcome, Reply):
        return outcome
    error = outcome or otherwise or _invalid(exchange)
    if error.kind is ErrorKind.INVALID_REPLY:
        error.usage = _used(exchange, called)
    raise error


class _Called(NamedTuple):
    """A call that a provider has answered."""

    deployment: Deployment
    request: Mapping[str, Any]
    endpoint: Endpoint
    latency_s: float

    def usage(self, body: Mapping[str, Any]) -> Usage | None:
        """Return the usage in a reply."""
        generates = self.endpoint.limit_key is not None
        return read_usage(body, limit=self._output_limit(), generates=generates)

    def _output_limit(self) -> int | None:
        names = [name for name in ("max_completion_tokens", self.endpoint.limit_key) if name]
        limit = next((limit for name in names if (limit := self.request.get(name))), None)
        return self.endpoint.limit(int(limit), 0) * int(self.request.get("n") or 1) if limit else None


def _outcome(exchange: Exchange, called: _Called, mapped: ParsedBody | None) -> Reply | ProviderError | None:
    """Return the reply, or the failure in the response; None if it holds neither."""
    try:
        return _read(exchange, called, mapped)
    except Exception as error:
        # A response of a shape that nobody thought of: it is paid, and not bought again.
        return InternalError(type(error).__name__, status=exchange.status, maybe_billed=True)


def _read(exchange: Exchange, called: _Called, mapped: ParsedBody | None) -> Reply | ProviderError | None:
    parsed = _parsed(exchange)
    failure = failure_in(parsed.value, endpoint=called.endpoint, request=called.request) if parsed else None
    if failure is not None:
        error = classify_failure(
            failure.details, exchange, datetime.now(UTC), maybe_billed=failure.maybe_billed
        )
        error.usage = called.usage(parsed.value) if parsed else None
        return error
    if called.endpoint.path != CHAT_PATH:
        return _other_reply(parsed, mapped, called)
    body = _with_choices(_chosen(parsed, mapped))
    if body is None:
        return None
    # LiteLLM moves counts and guesses some: what the provider sent comes first.
    sent = called.usage(parsed.value) if parsed else None
    return _reply(body, called, sent or called.usage(body.value))


def _other_reply(parsed: ParsedBody | None, mapped: ParsedBody | None, called: _Called) -> Reply | None:
    """Return the reply of any endpoint but chat completions: as it was sent, else as LiteLLM mapped it."""
    bodies = (body for body in (parsed, mapped) if body is not None)
    body = next((body for body in bodies if called.endpoint.has_answer(body.value, called.request)), None)
    if body is None:
        return None
    body.value["model"] = called.deployment.name
    notes: dict[str, Any] = {"mended": sorted(body.mended)} if body.mended else {}
    if called.endpoint.answers_text and not answer_text(called.endpoint.as_completion(body.value)):
        notes["without_answer"] = True
    sent = called.usage(parsed.value) if parsed else None
    return Reply(body.value, sent or called.usage(body.value), called.latency_s, notes=notes)


def _used(exchange: Exchange, called: _Called) -> Usage | None:
    """Return the usage in a response without an answer: it is billed all the same."""
    parsed = _parsed(exchange)
    return called.usage(parsed.value) if parsed else None


def _parsed(exchange: Exchange) -> ParsedBody | None:
    parsed = parse_body(exchange.content or b"")
    return in_place(parsed) if parsed else None


def _invalid(exchange: Exchange) -> ProviderError:
    return RetryableError(ErrorKind.INVALID_REPLY, status=exchange.status or 200, maybe_billed=True)


def _chosen(parsed: ParsedBody | None, mapped: ParsedBody | None) -> ParsedBody | None:
    """Return the response as it was sent, if that is a chat completion, else as LiteLLM mapped it."""
    is_completion = parsed is not None and bool(usable_choices(parsed.value))
    is_sent = is_completion and parsed is not None and not is_rewritten(parsed.value)
    return parsed if is_sent or mapped is None else with_empty_text(mapped, parsed)


def _with_choices(body: ParsedBody | None) -> ParsedBody | None:
    """Return the body with the choices that hold a message; None if none of them is worth keeping."""
    if body is None:
        return None
    choices = usable_choices(body.value)
    if not any(is_kept(choice) for choice in choices):
        return None
    mended = body.mended if choices == body.value["choices"] else (*body.mended, _CHOICES)
    return ParsedBody({**body.value, "choices": choices}, mended)


def _reply(body: ParsedBody, called: _Called, usage: Usage | None) -> Reply:
    body.value["model"] = called.deployment.name
    body.value["object"] = "chat.completion"
    return Reply(body.value, usage, called.latency_s, notes=_notes(body))


def _notes(body: ParsedBody) -> dict[str, Any]:
    """Return the remarks on an answer for `waybill` in the results."""
    notes: dict[str, Any] = {"mended": sorted(body.mended)} if body.mended else {}
    if not any(has_answer(choice) for choice in body.value["choices"]):
        notes["without_answer"] = True
    return notes
