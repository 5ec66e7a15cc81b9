"""Periods of time as people write them: 45s, 90m, 12h, 30d, 2w."""

from __future__ import annotations

import re
from datetime import timedelta

from tasks.errors import UsageError

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_PERIOD = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")
#: longer periods would not fit the store's times
_MAX_S = 100 * 366 * 86_400


def seconds_of(period: str | timedelta) -> float:
    """Return a period in seconds.

    Raises:
        UsageError: The text is no period, or the period is longer than a century.
    """
    if isinstance(period, timedelta):
        seconds = period.total_seconds()
    else:
        match = _PERIOD.fullmatch(period.strip().lower())
        if match is None:
            raise UsageError(f"{period!r} is no period: write 45s, 90m, 12h, 30d or 2w")
        seconds = float(match[1]) * _SECONDS[match[2]]
    if not 0 < seconds <= _MAX_S:
        raise UsageError("a period is longer than nothing and shorter than a century")
    return seconds
