"""The HTTP errors of a provider, as OpenAI words and structures them.

Source: https://platform.openai.com/docs/guides/error-codes.
"""

import math
import time
from dataclasses import dataclass, replace
from email.utils import formatdate
from enum import StrEnum

from workers.simulator.faults import Fault


class ErrorKind(StrEnum):
    """What an error is about. Each provider has its own status, type and words for it."""

    RATE_LIMIT = "rate_limit"
    QUOTA = "quota"
    SERVER = "server"
    GATEWAY = "gateway"
    UNAVAILABLE = "unavailable"
    OVERLOADED = "overloaded"
    BAD_KEY = "bad_key"
    PAYMENT = "payment"
    FORBIDDEN = "forbidden"
    CONTEXT_LENGTH = "context_length"
    CONTENT_POLICY = "content_policy"
    UNKNOWN_MODEL = "unknown_model"
    INVALID = "invalid"


@dataclass(frozen=True)
class HttpError:
    """An error response of a provider."""

    status: int
    type: str
    code: str | None
    message: str
    retry_after: str | None = None
    """`Retry-After`, verbatim; `{date}` stands for the HTTP date two seconds from now."""
    kind: ErrorKind = ErrorKind.INVALID

    def headers(self) -> dict[str, str]:
        """Return the `Retry-After` header, or no header."""
        if self.retry_after is None:
            return {}
        date = formatdate(time.time() + 2, usegmt=True)
        return {"Retry-After": self.retry_after.replace("{date}", date)}


_RATE_LIMIT = HttpError(
    429,
    "requests",
    "rate_limit_exceeded",
    "Rate limit reached for this model. Please try again later.",
    kind=ErrorKind.RATE_LIMIT,
)

HTTP_ERRORS: dict[Fault, HttpError] = {
    Fault.RATE_LIMIT_SECONDS: replace(_RATE_LIMIT, retry_after="1"),
    Fault.RATE_LIMIT_DATE: replace(_RATE_LIMIT, retry_after="{date}"),
    Fault.RATE_LIMIT_HUGE: replace(_RATE_LIMIT, retry_after="31536000"),
    Fault.RATE_LIMIT_NEGATIVE: replace(_RATE_LIMIT, retry_after="-5"),
    Fault.QUOTA: HttpError(
        429,
        "insufficient_quota",
        "insufficient_quota",
        "You exceeded your current quota, please check your plan.",
        kind=ErrorKind.QUOTA,
    ),
    Fault.SERVER_ERROR: HttpError(
        500,
        "server_error",
        None,
        "The server had an error while processing your request.",
        kind=ErrorKind.SERVER,
    ),
    Fault.BAD_GATEWAY: HttpError(502, "server_error", None, "Bad gateway.", kind=ErrorKind.GATEWAY),
    Fault.UNAVAILABLE: HttpError(
        503, "server_error", None, "The engine is currently unavailable.", kind=ErrorKind.UNAVAILABLE
    ),
    Fault.OVERLOADED: HttpError(529, "overloaded_error", None, "Overloaded.", kind=ErrorKind.OVERLOADED),
    Fault.UNAUTHORIZED: HttpError(
        401,
        "invalid_request_error",
        "invalid_api_key",
        "Incorrect API key provided.",
        kind=ErrorKind.BAD_KEY,
    ),
    Fault.PAYMENT_REQUIRED: HttpError(
        402, "billing_error", "insufficient_balance", "Insufficient balance.", kind=ErrorKind.PAYMENT
    ),
    Fault.FORBIDDEN: HttpError(
        403,
        "permission_error",
        "forbidden",
        "This project has no access to the model.",
        kind=ErrorKind.FORBIDDEN,
    ),
    Fault.CONTEXT_LENGTH: HttpError(
        400,
        "invalid_request_error",
        "context_length_exceeded",
        "This model's maximum context length is smaller than your messages. Please reduce their length.",
        kind=ErrorKind.CONTEXT_LENGTH,
    ),
    Fault.CONTENT_POLICY: HttpError(
        400,
        "invalid_request_error",
        "content_policy_violation",
        "Your request was rejected as a result of our safety system.",
        kind=ErrorKind.CONTENT_POLICY,
    ),
}

# Failures for which the provider does no work.
UNBILLED = frozenset(HTTP_ERRORS) | {Fault.HANG}


def fault_of_status(status: int) -> Fault | None:
    """Return the first failure with this HTTP status, or None."""
    return next((fault for fault, error in HTTP_ERRORS.items() if error.status == status), None)


def invalid_request(message: str) -> HttpError:
    """Return a 400: the request itself is wrong."""
    return HttpError(400, "invalid_request_error", None, message)


def unknown_model(model: str) -> HttpError:
    """Return a 404: there is no such model."""
    message = f"The model {model!r} does not exist."
    return HttpError(404, "invalid_request_error", "model_not_found", message, kind=ErrorKind.UNKNOWN_MODEL)


def rate_limited(wait_s: float) -> HttpError:
    """Return a 429 with `Retry-After`: the wait, rounded up to whole seconds."""
    return replace(_RATE_LIMIT, retry_after=str(math.ceil(wait_s)))
