"""Money is reserved before a call: its attempt is recorded as `sent`, and its worst-case cost is put aside.

The reservation ends when the call is settled or charged as lost (`tasks.store.ledger`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, RowMapping, insert, select, update

from tasks.store import batches, ledger
from tasks.store.engine import now_ms
from tasks.store.tables import attempt, chunk, request
from tasks.store.values import ReservationRequest, ReservationResult


def reserve(
    connection: Connection, batch_no: int, reservations: Sequence[ReservationRequest], *, owner: str
) -> ReservationResult:
    """Record attempts as `sent` and reserve their worst-case cost, for as many as the budget has room for.

    It may be repeated when the reply to its COMMIT was lost: what this worker has reserved, it keeps.
    """
    row = batches.lock(connection, batch_no)
    attempts = _held_attempts(connection, reservations, owner)
    reserved = _reserved_before(
        connection,
        [one for one in reservations if attempts.get((one.request_id, one.chunk_id)) == one.number],
    )
    new = [one for one in reservations if attempts.get((one.request_id, one.chunk_id)) == one.number - 1]
    is_open = row["status"] in batches.OPEN
    payers = batches.payer_chain(connection, row)
    granted, waiting, refused = _allocate(payers, new if is_open else [])
    _record_sent(connection, batch_no, granted)
    granted += reserved
    known = _ids(granted) | _ids(waiting) | _ids(refused)
    return ReservationResult(_ids(granted), _ids(waiting), _ids(refused), _ids(reservations) - known)


def _held_attempts(
    connection: Connection, reservations: Sequence[ReservationRequest], owner: str
) -> dict[tuple[int, int], int]:
    """Return the attempts so far of each request that this worker holds, by (request id, chunk id)."""
    query = (
        select(request.c.id, request.c.chunk_id, request.c.attempts)
        .join(chunk, chunk.c.id == request.c.chunk_id)
        .where(*ledger.held_by(owner, [one.request_id for one in reservations]))
    )
    return {(row.id, row.chunk_id): row.attempts for row in connection.execute(query)}


def _reserved_before(
    connection: Connection, reservations: Sequence[ReservationRequest]
) -> list[ReservationRequest]:
    """Return those whose attempt is `sent` already: this worker reserved it, since it holds the request."""
    sent = (
        ledger.sent_attempts(connection, [(one.request_id, one.number) for one in reservations])
        if reservations
        else {}
    )
    return [one for one in reservations if (one.request_id, one.number) in sent]


def _allocate(
    payers: Sequence[RowMapping], reservations: Sequence[ReservationRequest]
) -> tuple[list[ReservationRequest], list[ReservationRequest], list[ReservationRequest]]:
    """Split calls into those that fit the budgets now, that may fit later, and that never will."""
    capped = [row for row in payers if row["budget"] is not None]
    if not capped:
        return list(reservations), [], []
    room = min(row["budget"] - row["spent"] - row["reserved"] for row in capped)
    room_at_best = min(row["budget"] - row["spent"] for row in capped)
    granted: list[ReservationRequest] = []
    waiting: list[ReservationRequest] = []
    refused: list[ReservationRequest] = []
    for one in reservations:
        if one.worst <= room:
            granted.append(one)
            room -= one.worst
        elif one.worst <= room_at_best:
            waiting.append(one)
        else:
            refused.append(one)
    return granted, waiting, refused


def _record_sent(connection: Connection, batch_no: int, granted: Sequence[ReservationRequest]) -> None:
    if not granted:
        return
    sent_at = connection.execute(select(now_ms())).scalar_one()
    connection.execute(
        insert(attempt),
        [
            {
                "request_id": one.request_id,
                "number": one.number,
                "batch_no": batch_no,
                "model": one.model,
                "state": "sent",
                "reserved": one.worst,
                "sent_at": sent_at,
            }
            for one in granted
        ],
    )
    connection.execute(
        update(request)
        .where(request.c.id.in_([one.request_id for one in granted]))
        .values(attempts=request.c.attempts + 1, model_attempts=request.c.model_attempts + 1)
    )
    batches.count(connection, batch_no, calls=len(granted))
    batches.charge(connection, batch_no, reserved=sum(one.worst for one in granted))


def _ids(reservations: Iterable[ReservationRequest]) -> frozenset[int]:
    return frozenset(one.request_id for one in reservations)
