"""The ids of requests, and the states that partial indexes are made of."""

from __future__ import annotations

from sqlalchemy import literal

LINE_BITS = 32

# SQLite uses a partial index only where its condition stands in the statement itself, not as a bound value.
READY = literal("ready", literal_execute=True)
SENT = literal("sent", literal_execute=True)


def request_id(batch_no: int, line: int) -> int:
    """Return the id of the request on this line."""
    return batch_no << LINE_BITS | line


def ids_of(batch_no: int) -> tuple[int, int]:
    """Return the lowest and the highest id that a request of this batch can have."""
    return request_id(batch_no, 0), request_id(batch_no + 1, 0) - 1
