"""Failed calls, told apart by what the caller does; their texts are never read.

What was seen on the wire decides before LiteLLM's class does: LiteLLM finds some classes by searching the
error's text, which may echo a prompt that says "rate limit" or "timed out".
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

_K = ErrorKind

_TERMINAL = (_K.BAD_REQUEST, _K.CONTENT_POLICY, _K.CONTEXT_WINDOW, _K.NOT_FOUND)

_BY_STATUS = {
    401: _K.AUTHENTICATION,
    402: _K.PAYMENT,
    403: _K.PERMISSION,
    404: _K.NOT_FOUND,
    408: _K.TIMEOUT,
    409: _K.SERVER,
    413: _K.CONTEXT_WINDOW,
    425: _K.SERVER,
    429: _K.RATE_LIMIT,
    504: _K.TIMEOUT,
}
_BY_HUNDRED = {2: _K.GARBAGE, 3: _K.NOT_FOUND, 4: _K.BAD_REQUEST, 5: _K.SERVER}

#: Names of LiteLLM's and openai's classes; the most derived one that is listed counts.
_BY_CLASS = {
    "APIConnectionError": _K.CONNECTION,
    "APITimeoutError": _K.TIMEOUT,
    "AuthenticationError": _K.AUTHENTICATION,
    "BadGatewayError": _K.SERVER,
    "BadRequestError": _K.BAD_REQUEST,
    "ContentPolicyViolationError": _K.CONTENT_POLICY,
    "ContextWindowExceededError": _K.CONTEXT_WINDOW,
    "InternalServerError": _K.SERVER,
    "NotFoundError": _K.NOT_FOUND,
    "PaymentRequiredError": _K.PAYMENT,
    "PermissionDeniedError": _K.PERMISSION,
    "RateLimitError": _K.RATE_LIMIT,
    "RejectedRequestError": _K.CONTENT_POLICY,
    "ServiceUnavailableError": _K.SERVER,
    "Timeout": _K.TIMEOUT,
    "TimeoutError": _K.TIMEOUT,
    "UnprocessableEntityError": _K.BAD_REQUEST,
}

#: Codes that say more than the status they come with.
_BY_CODE = {
    "billing_hard_limit_reached": _K.PAYMENT,
    "content_filter": _K.CONTENT_POLICY,
    "content_policy_violation": _K.CONTENT_POLICY,
    "context_length_exceeded": _K.CONTEXT_WINDOW,
    "insufficient_quota": _K.PAYMENT,
    "model_not_found": _K.NOT_FOUND,
}
#: What a code or a class may make of a status, and nothing else.
_REFINEMENTS = {
    _K.BAD_REQUEST: (_K.CONTENT_POLICY, _K.CONTEXT_WINDOW, _K.NOT_FOUND),
    _K.RATE_LIMIT: (_K.PAYMENT,),
}


def classify(error: Exception, exchange: Exchange, now: datetime) -> ProviderError:
    """Return the sanitised error for the exception that a call ended in, LiteLLM's or one of the wire's."""
    status = exchange.status if exchange.sent is not None else _number(getattr(error, "status_code", None))
    return _error(_kind(error, exchange), exchange, now, status=status, code=_code(error, exchange))


def classify_status(exchange: Exchange, now: datetime) -> ProviderError:
    """Return the sanitised error for an HTTP status other than success, and the code that came with it, if any."""
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


def _refined(kind: ErrorKind, *finer: ErrorKind | None) -> ErrorKind:
    return next((candidate for candidate in finer if candidate in _REFINEMENTS.get(kind, ())), kind)


def _kind_of_status(status: int) -> ErrorKind:
    return _BY_STATUS.get(status) or _BY_HUNDRED.get(status // 100, ErrorKind.SERVER)


def _kind_of_class(error: Exception) -> ErrorKind:
    # Subclasses first: PaymentRequiredError is a BadRequestError, Timeout an APIConnectionError.
    names = (parent.__name__ for parent in type(error).__mro__)
    return next((_BY_CLASS[name] for name in names if name in _BY_CLASS), ErrorKind.GARBAGE)


def _maybe_billed(kind: ErrorKind, exchange: Exchange) -> bool:
    if exchange.sent is False:
        return False
    # Where the wire was not seen, a server error may be LiteLLM's name for a spoilt answer.
    unseen = kind is ErrorKind.SERVER and exchange.status is None
    return unseen or kind in (ErrorKind.CONNECTION, ErrorKind.TIMEOUT, ErrorKind.GARBAGE)


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
