"""Requests that wait for money: they wait in the store, in no worker, until calls in flight give some back.

Such a request is `ready`, but at no time: `next_attempt_at` is NEVER plus the number of its batch, by which
it is found. Each transaction that frees money, or raises a budget, wakes those that fit; each one that spends
money ends those that no longer can. All of them hold the batch's lock, so that no wake-up is missed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    bindparam,
    exists,
    func,
    literal,
    select,
    update,
)

from tasks.store import batches, budgets, chunks
from tasks.store.bulk import batched_ids
from tasks.store.engine import Store
from tasks.store.ids import READY
from tasks.store.tables import batch, request
from tasks.store.unlocked import deltas
from tasks.store.values import RequestResult, ReservationRequest, Room, Settlement

#: later than any time of the store's clock
NEVER = 1 << 52
#: how many waiting requests a transaction looks at that gives money back
LIMIT = 200
#: how many requests that can never be paid for one transaction ends
MOST_ENDED = 5_000


def over_budget(model: str) -> RequestResult:
    """Return the result of a request that the batch's budget has no room for."""
    return RequestResult(
        "failed",
        model=model,
        error_code="budget_exceeded",
        error_message="its worst-case cost does not fit what is left of the batch's budget",
    )


def put(connection: Connection, batch_no: int, calls: Sequence[ReservationRequest]) -> None:
    """Let requests of a locked batch wait for the worst case of their calls."""
    if calls:
        connection.execute(
            update(request)
            .where(request.c.id == bindparam("r"))
            .values(
                state="ready",
                stage=chunks.DISPATCH,
                chunk_id=None,
                waits_for=bindparam("worst"),
                next_attempt_at=NEVER + batch_no,
            ),
            [{"r": one.request_id, "worst": one.worst} for one in calls],
        )


def wake(connection: Connection, batch_no: int, *, limit: int = LIMIT) -> list[Settlement]:
    """Make the waiting requests of a locked batch due that fit its budgets now.

    Returns:
        The ends of those that cannot fit any more.
    """
    rows = connection.execute(_waiting(batch_no).limit(limit)).all()
    if not rows:
        return []
    room = _room(connection, batch_no)
    split = budgets.allocate(
        room, [ReservationRequest(row.id, 0, 0, row.model or "", row.waits_for or 0) for row in rows]
    )
    for part in batched_ids([one.request_id for one in split.granted]):
        due = update(request).where(request.c.id.in_(part))
        connection.execute(due.values(next_attempt_at=0, waits_for=None))
    return ended(connection, batch_no) if split.refused else []


def ended(connection: Connection, batch_no: int, *, limit: int = MOST_ENDED) -> list[Settlement]:
    """Return the ends of waiting requests of a locked batch that its budgets can never pay for."""
    at_best = _room(connection, batch_no).at_best
    if math.isinf(at_best):
        return []
    query = _waiting(batch_no).where(request.c.waits_for > int(at_best)).limit(limit)
    return [_end(batch_no, row.id, row.model or "") for row in connection.execute(query)]


def batches_that_wait(store: Store) -> list[int]:
    """Return the unfinished batches with requests that wait for money."""
    waiting = exists().where(
        request.c.state == READY, request.c.next_attempt_at == literal(NEVER, BigInteger) + batch.c.no
    )
    query = select(batch.c.no).where(batch.c.status.in_(batches.OPEN), waiting).order_by(batch.c.no)
    with store.read() as connection:
        return list(connection.execute(query).scalars())


def count(connection: Connection, batch_no: int, *, limit: int | None = None) -> int:
    """Return how many requests of a batch wait for money; counts no further than `limit`."""
    found = select(request.c.id).where(*_of(batch_no)).limit(limit)
    return connection.execute(select(func.count()).select_from(found.subquery())).scalar_one()


def _of(batch_no: int) -> tuple[ColumnElement[bool], ...]:
    return request.c.state == READY, request.c.next_attempt_at == NEVER + batch_no


def _waiting(batch_no: int) -> Select[tuple[int, str | None, int | None]]:
    query = select(request.c.id, request.c.model, request.c.waits_for).where(*_of(batch_no))
    return query.order_by(request.c.id)


def _room(connection: Connection, batch_no: int) -> Room:
    return budgets.room_of(deltas.exact_payers(connection, batches.lock(connection, batch_no)))


def _end(batch_no: int, request_id: int, model: str) -> Settlement:
    return Settlement(batch_no=batch_no, request_id=request_id, next=over_budget(model))
