"""Classification by the exception's class, for LiteLLM's providers that use an HTTP client of their own."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from tasks.providers import (
    ErrorKind,
    InternalError,
    ModelPausedError,
    ProviderError,
    RetryableError,
    TerminalError,
)
from tasks.providers.connections import open_session
from tasks.providers.error_classification import classify
from tasks.providers.exchange import watch
from tasks.providers.litellm_setup import import_litellm

K = ErrorKind
RESPONSE = httpx.Response(400, request=httpx.Request("POST", "http://127.0.0.1/"))

# LiteLLM's class, then Waybill's, the kind, and whether it may have been billed.
CASES: list[tuple[str, type[ProviderError], ErrorKind, bool]] = [
    ("RateLimitError", RetryableError, K.RATE_LIMIT, False),
    ("ServiceUnavailableError", RetryableError, K.SERVER, True),
    ("BadGatewayError", RetryableError, K.SERVER, True),
    # LiteLLM also gives this name to a 200 that it could not read.
    ("InternalServerError", RetryableError, K.SERVER, True),
    # A subclass of APIConnectionError.
    ("Timeout", RetryableError, K.TIMEOUT, True),
    ("BadRequestError", TerminalError, K.BAD_REQUEST, False),
    # Subclasses of BadRequestError.
    ("ContextWindowExceededError", TerminalError, K.CONTEXT_WINDOW, False),
    ("ContentPolicyViolationError", TerminalError, K.CONTENT_POLICY, False),
    ("UnsupportedParamsError", TerminalError, K.BAD_REQUEST, False),
    ("PaymentRequiredError", ModelPausedError, K.PAYMENT, False),
    ("NotFoundError", TerminalError, K.NOT_FOUND, False),
    ("AuthenticationError", ModelPausedError, K.AUTHENTICATION, False),
]


def classified(error: Exception) -> ProviderError:
    async def scenario() -> ProviderError:
        async with open_session() as session:
            with watch(session, max_response_bytes=0) as exchange:
                return classify(error, exchange, datetime.now(UTC))

    return asyncio.run(scenario())


@pytest.mark.parametrize(("name", "expected", "kind", "maybe_billed"), CASES)
def test_the_most_derived_class_counts(
    name: str, expected: type[ProviderError], kind: ErrorKind, maybe_billed: bool
) -> None:
    options: dict[str, Any] = {"message": "canary", "llm_provider": "aws", "model": "model"}
    try:
        error = getattr(import_litellm(), name)(**options)
    except TypeError:
        error = getattr(import_litellm(), name)(**options, response=RESPONSE)
    result = classified(error)
    assert (type(result), result.kind, result.maybe_billed) == (expected, kind, maybe_billed)


@pytest.mark.parametrize("name", ["KeyError", "ModuleNotFoundError"])
@pytest.mark.parametrize("wrapper", [None, "APIConnectionError", "InternalServerError"])
def test_what_was_not_sent_is_an_error_of_our_own_and_free(name: str, wrapper: str | None) -> None:
    cause = {"KeyError": KeyError, "ModuleNotFoundError": ModuleNotFoundError}[name]("canary")
    error: Exception = cause
    if wrapper is not None:
        error = getattr(import_litellm(), wrapper)(message="canary", llm_provider="x", model="model")
        error.__context__ = cause
    result = classified(error)
    assert isinstance(result, InternalError)
    assert (str(result), result.maybe_billed) == (f"internal_error: {name}", False)


def test_a_network_that_failed_is_no_error_of_our_own() -> None:
    error = import_litellm().APIConnectionError(message="canary", llm_provider="x", model="model")
    error.__context__ = httpx.ReadError("canary")
    result = classified(error)
    assert (type(result), result.kind, result.maybe_billed) == (RetryableError, K.CONNECTION, True)
