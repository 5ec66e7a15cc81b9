"""The failures of a call.

The names are public: they are keys of `failures` in the configuration, and words of a `[[sim:…]]` directive.
"""

from enum import StrEnum


class Fault(StrEnum):
    """A way in which a provider fails."""

    # Answered with an HTTP error: not billed.
    RATE_LIMIT_SECONDS = "rate_limit_seconds"
    RATE_LIMIT_DATE = "rate_limit_date"
    RATE_LIMIT_HUGE = "rate_limit_huge"
    RATE_LIMIT_NEGATIVE = "rate_limit_negative"
    QUOTA = "quota"
    SERVER_ERROR = "server_error"
    BAD_GATEWAY = "bad_gateway"
    UNAVAILABLE = "unavailable"
    OVERLOADED = "overloaded"
    UNAUTHORIZED = "unauthorized"
    PAYMENT_REQUIRED = "payment_required"
    FORBIDDEN = "forbidden"
    CONTEXT_LENGTH = "context_length"
    CONTENT_POLICY = "content_policy"
    # Never answered.
    HANG = "hang"
    HANG_BILLED = "hang_billed"
    # The work is done and billed, but the answer is damaged.
    DRIP = "drip"
    RESET = "reset"
    HTML = "html"
    TRUNCATED = "truncated"
    NO_CHOICES = "no_choices"
    EMPTY_CONTENT = "empty_content"
    NO_USAGE = "no_usage"
    ABSURD_USAGE = "absurd_usage"
    HUGE_BODY = "huge_body"
