"""The classification of failed calls into provider errors, the same over every transport.

The HTTP status is the base. Codes, types and the closed list of `error_patterns` refine it, each status to
the kinds that it may stand for: an error may quote a prompt with the words "rate limit" or "timed out". The
class of LiteLLM's exception counts only where the transport recorded nothing: LiteLLM chooses some classes by
searching the error's text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from tasks.providers.defects import defect_in, lacks_credentials
from tasks.providers.error_codes import BY_CODE
from tasks.providers.error_details import ErrorDetails, details_of
from tasks.providers.error_patterns import kind_of_messages
from tasks.providers.errors import (
    ErrorKind,
    InternalError,
    ModelPausedError,
    ProviderError,
    RetryableError,
    TerminalError,
)
from tasks.providers.exchange import Exchange
from tasks.providers.replies.parsing import parse_body
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
    424: ErrorKind.SERVER,  # TGI: the generation failed
    425: ErrorKind.SERVER,
    429: ErrorKind.RATE_LIMIT,
    498: ErrorKind.RATE_LIMIT,  # Groq: no capacity in the flex tier
    499: ErrorKind.SERVER,  # a gateway's: the connection behind it was closed
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

_K = ErrorKind
#: The kinds to which a code may refine the kind of a status, …
_BY_CODES = {
    _K.BAD_REQUEST: (
        _K.CONTENT_POLICY, _K.CONTEXT_WINDOW, _K.NOT_FOUND, _K.PAYMENT, _K.AUTHENTICATION, _K.RATE_LIMIT,
    ),
    _K.AUTHENTICATION: (_K.PAYMENT,),
    _K.PERMISSION: (_K.CONTENT_POLICY, _K.PAYMENT, _K.NOT_FOUND, _K.AUTHENTICATION),
    _K.RATE_LIMIT: (_K.PAYMENT, _K.CONTEXT_WINDOW),
    _K.SERVER: (_K.CONTENT_POLICY, _K.CONTEXT_WINDOW, _K.NOT_FOUND, _K.PAYMENT),
    _K.INVALID_REPLY: tuple(_K),
}  # fmt: skip
#: … and those to which a message may.
_BY_MESSAGES = {
    _K.BAD_REQUEST: (_K.CONTENT_POLICY, _K.CONTEXT_WINDOW, _K.NOT_FOUND, _K.PAYMENT, _K.AUTHENTICATION),
    _K.AUTHENTICATION: (_K.PAYMENT,),
    _K.PERMISSION: (_K.CONTENT_POLICY, _K.PAYMENT, _K.AUTHENTICATION),
    _K.RATE_LIMIT: (_K.PAYMENT, _K.CONTEXT_WINDOW),
    _K.INVALID_REPLY: tuple(_K),
}
#: Gemini uses the words of an exhausted credit for a limit per minute.
_PER_MINUTE = "resourceexhausted"
#: some servers answer a prompt that is too long with this status
_INTERNAL_SERVER_ERROR = 500


def classify(error: Exception, exchange: Exchange, now: datetime) -> ProviderError:
    """Return the sanitised error for an exception of a call, from LiteLLM or from the transport."""
    if exchange.sent is None:
        return _unrecorded(error, exchange, now)
    if isinstance(error, TimeoutError) or exchange.failure is not None:
        kind = _K.TIMEOUT if isinstance(error, TimeoutError) else exchange.failure or _K.CONNECTION
        return _error(kind, exchange, now, status=exchange.status)
    if exchange.status is None:
        # The request may be on its way, and no network failed.
        return InternalError(type(error).__name__, maybe_billed=exchange.sent)
    if not exchange.is_success:
        return classify_status(exchange, now)
    if defect := defect_in(error, certain=True):
        return InternalError(defect, status=exchange.status, maybe_billed=True)
    return _error(_K.INVALID_REPLY, exchange, now, status=exchange.status)


def classify_status(exchange: Exchange, now: datetime) -> ProviderError:
    """Return the sanitised error for the exchange's status and body, which hold no answer."""
    parsed = parse_body(exchange.content or b"")
    details = details_of(parsed.value) if parsed else ErrorDetails()
    if exchange.error_type:
        details = details.with_code(exchange.error_type)
    status = exchange.status or 0
    kind = _refined(_kind_of_status(status), status, details)
    return _error(kind, exchange, now, status=exchange.status, details=details)


def classify_failure(
    details: ErrorDetails, exchange: Exchange, now: datetime, *, maybe_billed: bool
) -> ProviderError:
    """Return the sanitised error for a failure that stands in a successful response.

    Args:
        details: What the response says of it.
        exchange: The call.
        now: The present time, for a date in `Retry-After`.
        maybe_billed: Whether the response also holds what a provider bills: a part of an answer, or a usage.
    """
    status = details.status or exchange.status or 200
    base = _kind_of_status(status)
    if base is _K.INVALID_REPLY:
        base = next((BY_CODE[code] for code in details.codes if code in BY_CODE), base)
    kind = _refined(base, status, details)
    if kind is _K.INVALID_REPLY and not maybe_billed:
        kind = _K.SERVER  # in whatever words: the provider itself says that it failed
    error = _error(kind, exchange, now, status=status, details=details)
    error.maybe_billed = maybe_billed or kind is _K.TIMEOUT
    return error


def _unrecorded(error: Exception, exchange: Exchange, now: datetime) -> ProviderError:
    """Return the error of a call that the transport did not see: ours, or that of a client of its own."""
    if isinstance(error, TimeoutError):
        return _error(_K.TIMEOUT, exchange, now, status=None)
    if lacks_credentials(error):
        return _error(_K.AUTHENTICATION, exchange, now, status=None)
    kind = _kind_of_class(error)
    vague = kind in (None, _K.CONNECTION, _K.SERVER)
    if defect := defect_in(error, certain=not vague):
        return InternalError(defect)
    kind = kind or _K.INVALID_REPLY
    details = _details_of_exception(error)
    status = _number(getattr(error, "status_code", None))
    return _error(_refined(kind, status or 0, details), exchange, now, status=status, details=details)


def _error(
    kind: ErrorKind,
    exchange: Exchange,
    now: datetime,
    *,
    status: int | None,
    details: ErrorDetails | None = None,
) -> ProviderError:
    said = details or ErrorDetails()
    return _class_of(kind)(
        kind,
        status=status,
        code=said.shown_code,
        type=said.shown_type,
        param=said.shown_param,
        retry_after_s=parse_retry_after(exchange.retry_after or said.retry_after, now),
        maybe_billed=_maybe_billed(kind, exchange),
    )


def _refined(kind: ErrorKind, status: int, details: ErrorDetails) -> ErrorKind:
    """Return the kind that a code or a message refines this one to, else this one."""
    named = [BY_CODE[code] for code in details.codes if code in BY_CODE]
    by_code = next((one for one in named if one in _BY_CODES.get(kind, ())), None)
    if by_code is not None:
        return by_code
    among = set(_BY_MESSAGES.get(kind, ()))
    if status == _INTERNAL_SERVER_ERROR:
        among.add(_K.CONTEXT_WINDOW)
    if _PER_MINUTE in details.codes:
        among.discard(_K.PAYMENT)
    return kind_of_messages(details.messages, among) or kind


def _kind_of_status(status: int) -> ErrorKind:
    return _BY_STATUS.get(status) or _BY_FIRST_DIGIT.get(status // 100, _K.SERVER)


def _kind_of_class(error: Exception) -> ErrorKind | None:
    # The most derived class first: PaymentRequiredError is a BadRequestError, Timeout an APIConnectionError.
    names = (parent.__name__ for parent in type(error).__mro__)
    return next((_BY_CLASS[name] for name in names if name in _BY_CLASS), None)


def _maybe_billed(kind: ErrorKind, exchange: Exchange) -> bool:
    if exchange.sent is False:
        return False
    # If the transport recorded no status, a server error of LiteLLM may stand for an invalid reply.
    is_unrecorded = kind is _K.SERVER and exchange.status is None
    return is_unrecorded or kind in (_K.CONNECTION, _K.TIMEOUT, _K.INVALID_REPLY)


def _class_of(kind: ErrorKind) -> type[ProviderError]:
    if kind in _TERMINAL:
        return TerminalError
    return ModelPausedError if kind.needs_operator else RetryableError


def _details_of_exception(error: Exception) -> ErrorDetails:
    """Return the codes in the error's body that the exception holds: nothing says whose its texts are."""
    body = getattr(error, "body", None)
    details = details_of(body) if isinstance(body, Mapping) else ErrorDetails()
    return replace(details, messages=())


def _number(value: object) -> int | None:
    return value if isinstance(value, int) else None
