"""The Retry-After header: seconds, dates and malformed values."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tasks.providers.exchange import Exchange
from tasks.providers.retry_after import MAX_RETRY_AFTER_S, parse_retry_after

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "expected_s"),
    [
        ("7", 7.0),
        (" 7 ", 7.0),
        ("0.5", 0.5),
        ("0", 0.0),
        ("-5", 0.0),
        ("31536000", MAX_RETRY_AFTER_S),
        ("1e400", MAX_RETRY_AFTER_S),
        ("Mon, 23 Nov 2026 12:00:30 GMT", 30.0),
        ("Mon, 23 Nov 2026 12:00:30 -0000", 30.0),
        ("Mon, 23 Nov 2026 13:00:30 +0100", 30.0),
        ("Monday, 23-Nov-26 12:00:30 GMT", 30.0),
        ("Mon, 23 Nov 2026 11:00:00 GMT", 0.0),
        ("Mon, 23 Nov 2099 12:00:00 GMT", MAX_RETRY_AFTER_S),
        (None, None),
        ("", None),
        ("nan", None),
        ("soon", None),
        ("Mon, 99 Nov 2026 12:00:30 GMT", None),
        ("\x00" * 50, None),
    ],
)
def test_retry_after_is_understood_or_ignored(value: str | None, expected_s: float | None) -> None:
    assert parse_retry_after(value, NOW) == expected_s


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"retry-after-ms": "1500", "Retry-After": "2"}, "1.5"),
        ({"retry-after-ms": "soon", "Retry-After": "2"}, "2"),
        ({"retry-after-ms": "9" * 5000}, None),
        ({}, None),
    ],
)
def test_milliseconds_count_where_they_are_sent(headers: dict[str, str], expected: str | None) -> None:
    exchange = Exchange(None, 0)  # type: ignore[arg-type]
    exchange.record(429, headers)
    assert exchange.retry_after == expected
