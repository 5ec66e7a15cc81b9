"""The ids of requests, and the states in the conditions of partial indexes."""

from __future__ import annotations

from sqlalchemy import literal

LINE_BITS = 32

# SQLite uses a partial index only if its condition is literally in the statement, not a bound parameter.
READY = literal("ready", literal_execute=True)
SENT = literal("sent", literal_execute=True)
SUCCEEDED = literal("succeeded", literal_execute=True)


def request_id(batch_no: int, line: int) -> int:
    """Return the id of the request on this line of a batch: `batch_no << 32 | line`."""
    return batch_no << LINE_BITS | line


def ids_of(batch_no: int) -> tuple[int, int]:
    """Return the lowest and the highest id of a batch's requests."""
    return request_id(batch_no, 0), request_id(batch_no + 1, 0) - 1
