"""Money is reserved before a call: its attempt is recorded as `sent`, and its worst-case cost is put aside.

The reservation ends when the call is settled or charged as lost (`tasks.store.ledger`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, RowMapping, select, update

from tasks.store import batches, budgets, chunks, ledger, waiting
from tasks.store.bulk import insert_values
from tasks.store.engine import now_ms
from tasks.store.tables import attempt, chunk, request
from tasks.store.unlocked import deltas, purses
from tasks.store.values import ReservationRequest, ReservationResult, Room


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
    payers, had, (granted, later, refused) = _allocate(connection, row, new if is_open else [])
    _record_sent(connection, row, granted)
    asked = sum(one.worst for one in granted)
    left = Room(had.now - asked, had.at_best)
    is_served = granted and not later and not refused
    purse = purses.fill(connection, payers, owner=owner, asked=asked, left=left.now) if is_served else None
    granted += reserved
    known = _ids(granted) | _ids(later) | _ids(refused)
    lost = _ids(reservations) - known
    return ReservationResult(_ids(granted), _ids(later), _ids(refused), lost, left, purse)


def put_off(
    connection: Connection, batch_no: int, reservations: Sequence[ReservationRequest], *, owner: str
) -> ReservationResult:
    """Let requests that this worker holds wait in the store for money, as far as the budget has none now.

    Returns:
        Those that wait there, whom this worker holds no longer, and those that are refused or lost; the
        budget has room for the others by now.
    """
    row = batches.lock(connection, batch_no)
    attempts = _held_attempts(connection, reservations, owner) if row["status"] in batches.OPEN else {}
    mine = [one for one in reservations if attempts.get((one.request_id, one.chunk_id)) == one.number - 1]
    _, _, split = _allocate(connection, row, mine)
    waiting.put(connection, batch_no, split.waiting)
    chunks.close_empty(connection, {one.chunk_id for one in split.waiting})
    lost = _ids(reservations) - _ids(mine)
    return ReservationResult(waiting=_ids(split.waiting), refused=_ids(split.refused), lost=lost)


def room(connection: Connection, batch_no: int) -> Room:
    """Return what the budgets of a batch have left, without locking it."""
    row = batches.by_number(connection, batch_no)
    payers = [row] if row["payer_no"] is None else [row, batches.by_number(connection, row["payer_no"])]
    return budgets.room_of([deltas.with_unfolded(connection, payer) for payer in payers])


def _allocate(
    connection: Connection, row: RowMapping, calls: Sequence[ReservationRequest]
) -> tuple[list[RowMapping], Room, budgets.Allocation]:
    """Return the rows of a locked batch and its payer, their room, and which calls it is for.

    Where it is not for all of them, deltas and purses are looked at: they may hold what is missing.
    """
    payers = batches.payer_chain(connection, row)
    room = budgets.room_of(payers)
    split = budgets.allocate(room, calls)
    if split.waiting or split.refused:
        payers = deltas.exact_payers(connection, row)
        room = budgets.room_of(payers)
        split = budgets.allocate(room, calls)
    return payers, room, split


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


_ATTEMPT = ("request_id", "number", "batch_no", "model", "state", "reserved", "sent_at")


def _record_sent(connection: Connection, row: RowMapping, granted: Sequence[ReservationRequest]) -> None:
    if not granted:
        return
    sent_at = connection.execute(select(now_ms())).scalar_one()
    rows = [(one.request_id, one.number, row["no"], one.model, "sent", one.worst, sent_at) for one in granted]
    insert_values(connection, attempt, _ATTEMPT, rows)
    connection.execute(
        update(request)
        .where(request.c.id.in_([one.request_id for one in granted]))
        .values(attempts=request.c.attempts + 1, model_attempts=request.c.model_attempts + 1)
    )
    worst = sum(one.worst for one in granted)
    batches.charge(connection, row, reserved=worst, calls=len(granted))


def _ids(reservations: Iterable[ReservationRequest]) -> frozenset[int]:
    return frozenset(one.request_id for one in reservations)
