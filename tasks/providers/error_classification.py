"""The classification of failed calls into provider errors; the texts of errors are never read.

The HTTP status takes precedence over the class of LiteLLM's exception: LiteLLM chooses some classes by
searching the error's text, which may quote a prompt with the words "rate limit" or "timed out".
"""

from __future__ import annotations

from datetime import datetime

from tasks.providers.errors import (
    ErrorKind,
    ModelPausedError,
    ProviderError,
    RetryableError,
    TerminalError,
    safe_code,
)
from tasks.providers.exchange import Exchange
from tasks.providers.retry_after import parse_retry_after

_TERMINAL = (
    ErrorKind.BAD_REQUEST,
    ErrorKind.CONTENT_POLICY,
    ErrorKind.CONTEXT_WINDOW,
    ErrorKind.NOT_FOUND,
)

_BY_STATUS = {
    401: ErrorKind.AUTHENTICATION,
    402: ErrorKind.PAYMENT,
    403: ErrorKind.PERMISSION,
    404: ErrorKind.NOT_FOUND,
    408: ErrorKind.TIMEOUT,
    409: ErrorKind.SERVER,
    413: ErrorKind.CONTEXT_WINDOW,
    425: ErrorKind.SERVER,
    429: ErrorKind.RATE_LIMIT,
    504: ErrorKind.TIMEOUT,
}
#: the kind of a status that is not listed, by its first digit
_BY_FIRST_DIGIT = {
    2: ErrorKind.INVALID_REPLY,
    3: ErrorKind.NOT_FOUND,
    4: ErrorKind.BAD_REQUEST,
    5: ErrorKind.SERVER,
}

#: The names of LiteLLM's and openai's exception classes; of several, the most derived class counts.
_BY_CLASS = {
    "APIConnectionError": ErrorKind.CONNECTION,
    "APITimeoutError": ErrorKind.TIMEOUT,
    "AuthenticationError": ErrorKind.AUTHENTICATION,
    "BadGatewayError": ErrorKind.SERVER,
    "BadRequestError": ErrorKind.BAD_REQUEST,
    "ContentPolicyViolationError": ErrorKind.CONTENT_POLICY,
    "ContextWindowExceededError": ErrorKind.CONTEXT_WINDOW,
    "InternalServerError": ErrorKind.SERVER,
    "NotFoundError": ErrorKind.NOT_FOUND,
    "PaymentRequiredError": ErrorKind.PAYMENT,
    "PermissionDeniedError": ErrorKind.PERMISSION,
    "RateLimitError": ErrorKind.RATE_LIMIT,
    "RejectedRequestError": ErrorKind.CONTENT_POLICY,
    "ServiceUnavailableError": ErrorKind.SERVER,
    "Timeout": ErrorKind.TIMEOUT,
    "TimeoutError": ErrorKind.TIMEOUT,
    "UnprocessableEntityError": ErrorKind.BAD_REQUEST,
}

#: Codes that are more specific than the status of their response.
_BY_CODE = {
    "billing_hard_limit_reached": ErrorKind.PAYMENT,
    "content_filter": ErrorKind.CONTENT_POLICY,
    "content_policy_violation": ErrorKind.CONTENT_POLICY,
    "context_length_exceeded": ErrorKind.CONTEXT_WINDOW,
    "insufficient_quota": ErrorKind.PAYMENT,
    "model_not_found": ErrorKind.NOT_FOUND,
}
#: The kinds to which a code or a class may refine the kind of a status.
_REFINEMENTS = {
    ErrorKind.BAD_REQUEST: (ErrorKind.CONTENT_POLICY, ErrorKind.CONTEXT_WINDOW, ErrorKind.NOT_FOUND),
    ErrorKind.RATE_LIMIT: (ErrorKind.PAYMENT,),
}


def classify(error: Exception, exchange: Exchange, now: datetime) -> ProviderError:
    """Return the sanitised error for an exception of a call, from LiteLLM or from the transport."""
    status = exchange.status if exchange.sent is not None else _number(getattr(error, "status_code", None))
    return _error(_kind(error, exchange), exchange, now, status=status, code=_code(error, exchange))


def classify_status(exchange: Exchange, now: datetime) -> ProviderError:
    """Return the sanitised error for the exchange's HTTP status, which is no success, and its code."""
    kind = _refined(_kind_of_status(exchange.status or 0), _BY_CODE.get(exchange.code or ""))
    return _error(kind, exchange, now, status=exchange.status, code=exchange.code)


def _error(
    kind: ErrorKind, exchange: Exchange, now: datetime, *, status: int | None, code: str | None
) -> ProviderError:
    return _class_of(kind)(
        kind,
        status=status,
        code=code,
        retry_after_s=parse_retry_after(exchange.retry_after, now),
        maybe_billed=_maybe_billed(kind, exchange),
    )


def _kind(error: Exception, exchange: Exchange) -> ErrorKind:
    if isinstance(error, TimeoutError):
        return ErrorKind.TIMEOUT
    if exchange.failure is not None:
        return exchange.failure
    by_class = _kind_of_class(error)
    kind = by_class if exchange.status is None else _kind_of_status(exchange.status)
    return _refined(kind, _BY_CODE.get(_code(error, exchange) or ""), by_class)


def _refined(kind: ErrorKind, *candidates: ErrorKind | None) -> ErrorKind:
    """Return the first candidate that refines the kind, else the kind."""
    return next((candidate for candidate in candidates if candidate in _REFINEMENTS.get(kind, ())), kind)


def _kind_of_status(status: int) -> ErrorKind:
    return _BY_STATUS.get(status) or _BY_FIRST_DIGIT.get(status // 100, ErrorKind.SERVER)


def _kind_of_class(error: Exception) -> ErrorKind:
    # The most derived class first: PaymentRequiredError is a BadRequestError, Timeout an APIConnectionError.
    names = (parent.__name__ for parent in type(error).__mro__)
    return next((_BY_CLASS[name] for name in names if name in _BY_CLASS), ErrorKind.INVALID_REPLY)


def _maybe_billed(kind: ErrorKind, exchange: Exchange) -> bool:
    if exchange.sent is False:
        return False
    # If the transport recorded no status, a server error of LiteLLM may stand for an invalid reply.
    is_unrecorded = kind is ErrorKind.SERVER and exchange.status is None
    return is_unrecorded or kind in (ErrorKind.CONNECTION, ErrorKind.TIMEOUT, ErrorKind.INVALID_REPLY)


def _class_of(kind: ErrorKind) -> type[ProviderError]:
    if kind in _TERMINAL:
        return TerminalError
    return ModelPausedError if kind.needs_operator else RetryableError


def _code(error: Exception, exchange: Exchange) -> str | None:
    if exchange.code is not None:
        return exchange.code
    body = getattr(error, "body", None)
    details = body.get("error", body) if isinstance(body, dict) else None
    return safe_code(details.get("code")) if isinstance(details, dict) else None


def _number(value: object) -> int | None:
    return value if isinstance(value, int) else None
