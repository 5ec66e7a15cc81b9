"""The header `Range` of a request for a file: one range of bytes, or none."""

from __future__ import annotations

import re

_RANGE = re.compile(r"bytes=(\d{1,18})-(\d{0,18})", re.ASCII)


def range_of(header: str | None) -> tuple[int, int | None] | None:
    """Return the first byte and the last one, which may be open; None for no range that is served.

    A header that is not understood, or has several ranges, is ignored, as RFC 9110 allows.
    """
    match = _RANGE.fullmatch(header or "")
    if match is None:
        return None
    first, last = int(match[1]), int(match[2]) if match[2] else None
    return None if last is not None and last < first else (first, last)
