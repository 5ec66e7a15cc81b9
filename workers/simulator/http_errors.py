"""The HTTP errors of a provider, as OpenAI words and structures them.

Source: https://platform.openai.com/docs/guides/error-codes.
"""

import math
from dataclasses import dataclass, replace

from workers.simulator.faults import Fault


@dataclass(frozen=True)
class HttpError:
    """An error response of a provider."""

    status: int
    type: str
    code: str | None
    message: str
    retry_after: str | None = None
    """`Retry-After`, verbatim; `{date}` stands for the HTTP date two seconds from now."""


_RATE_LIMIT = (
    429,
    "requests",
    "rate_limit_exceeded",
    "Rate limit reached for this model. Please try again later.",
)

HTTP_ERRORS: dict[Fault, HttpError] = {
    Fault.RATE_LIMIT_SECONDS: HttpError(*_RATE_LIMIT, retry_after="1"),
    Fault.RATE_LIMIT_DATE: HttpError(*_RATE_LIMIT, retry_after="{date}"),
    Fault.RATE_LIMIT_HUGE: HttpError(*_RATE_LIMIT, retry_after="31536000"),
    Fault.RATE_LIMIT_NEGATIVE: HttpError(*_RATE_LIMIT, retry_after="-5"),
    Fault.QUOTA: HttpError(
        429,
        "insufficient_quota",
        "insufficient_quota",
        "You exceeded your current quota, please check your plan.",
    ),
    Fault.SERVER_ERROR: HttpError(
        500, "server_error", None, "The server had an error while processing your request."
    ),
    Fault.BAD_GATEWAY: HttpError(502, "server_error", None, "Bad gateway."),
    Fault.UNAVAILABLE: HttpError(503, "server_error", None, "The engine is currently unavailable."),
    Fault.OVERLOADED: HttpError(529, "overloaded_error", None, "Overloaded."),
    Fault.UNAUTHORIZED: HttpError(
        401, "invalid_request_error", "invalid_api_key", "Incorrect API key provided."
    ),
    Fault.PAYMENT_REQUIRED: HttpError(402, "billing_error", "insufficient_balance", "Insufficient balance."),
    Fault.FORBIDDEN: HttpError(
        403, "permission_error", "forbidden", "This project has no access to the model."
    ),
    Fault.CONTEXT_LENGTH: HttpError(
        400,
        "invalid_request_error",
        "context_length_exceeded",
        "This model's maximum context length is smaller than your messages. Please reduce their length.",
    ),
    Fault.CONTENT_POLICY: HttpError(
        400,
        "invalid_request_error",
        "content_policy_violation",
        "Your request was rejected as a result of our safety system.",
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
    return HttpError(404, "invalid_request_error", "model_not_found", f"The model {model!r} does not exist.")


def rate_limited(wait_s: float) -> HttpError:
    """Return a 429 with `Retry-After`: the wait, rounded up to whole seconds."""
    return replace(HTTP_ERRORS[Fault.RATE_LIMIT_SECONDS], retry_after=str(math.ceil(wait_s)))
