"""The Retry-After header (RFC 9110, section 10.2.3)."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

MAX_RETRY_AFTER_S = 600.0


def parse_retry_after(value: str | None, now: datetime, *, max_s: float = MAX_RETRY_AFTER_S) -> float | None:
    """Return the seconds to wait from `now`, within [0, max_s]; None if the header is absent or malformed.

    `value` is a number of seconds (decimals allowed, as some providers send them) or an HTTP date.
    """
    if value is None:
        return None
    seconds = _as_number(value)
    if seconds is None:
        seconds = _until(value, now)
    return None if seconds is None else min(max(seconds, 0.0), max_s)


def _as_number(value: str) -> float | None:
    try:
        seconds = float(value)
    except ValueError:
        return None
    return None if math.isnan(seconds) else seconds


def _until(value: str, now: datetime) -> float | None:
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    # A date that ends in -0000 is parsed without a time zone; HTTP dates are always in UTC.
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now).total_seconds()
