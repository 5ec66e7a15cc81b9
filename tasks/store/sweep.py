"""The sweeper's transactions: expired leases, requests that are due, and messages that Redis lost.

Every statement re-checks state under the batch's lock, so two sweepers, or a sweeper and a finishing worker,
never undo each other: a terminal request is not touched again (the mistake of river#1302).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from sqlalchemy import ColumnElement, Connection, RowMapping, select, update

from tasks.store import batches, chunk_requests, chunks, control, decisions, ledger, outcomes, waiting
from tasks.store.engine import Store, now_ms
from tasks.store.ids import READY
from tasks.store.learning import judge_runs
from tasks.store.sweep_locks import one_by_one
from tasks.store.tables import chunk, outbox, request, upkeep_mark
from tasks.store.values import HeldChunk, RequestResult, Settlement

#: a request whose workers died this often fails
MAX_LOSSES = 3
#: a request whose workers died this often runs in a chunk of its own
SUSPECT_LOSSES = MAX_LOSSES - 1
_SWEEPER = "sweeper"
WORKER_LOST = RequestResult(
    "failed", error_code="worker_lost", error_message=f"its worker died {MAX_LOSSES} times"
)


def expire(store: Store, *, limit: int = 100, patience_s: float = math.inf) -> int:
    """Dissolve chunks whose lease ran out: calls in flight are charged in full, the rest goes back.

    Nothing is dissolved after a wait of more than `patience_s` for the store's lock: while another process
    had the lock, no worker could renew its lease.
    """
    expired = (chunk.c.state == "claimed") & (chunk.c.lease_until < now_ms())
    with store.read() as connection:
        found = connection.execute(select(chunk.c.id, chunk.c.batch_no).where(expired).limit(limit)).all()

    def take_back(connection: Connection, row: RowMapping, chunk_id: int) -> None:
        still = select(chunk.c.id).where(chunk.c.id == chunk_id, expired).with_for_update()
        if connection.execute(still).first() is not None:
            _reclaim(connection, row["no"], chunk_id)

    items = [(one.batch_no, one.id) for one in found]
    return len(found) if one_by_one(store, items, take_back, patience_s=patience_s) else 0


def prove_writable(store: Store) -> None:
    """Write a mark if there are leases; a store that cannot take it takes no renewal either.

    Raises:
        SQLAlchemyError: The store is down, or its disk is full.
    """
    with store.read() as connection:
        leased = select(chunk.c.id).where(chunk.c.state == "claimed").limit(1)
        if connection.execute(leased).first() is None:
            return
    with store.write() as connection:
        mine = update(upkeep_mark).where(upkeep_mark.c.name == _SWEEPER).values(written_at=now_ms())
        if not connection.execute(mine).rowcount:
            fresh = outcomes.insert_ignoring(connection, upkeep_mark)
            connection.execute(fresh.values(name=_SWEEPER, written_at=now_ms()))


def hand_back(store: Store, held: HeldChunk, *, reason: str) -> None:
    """Return a chunk whose stage failed; requests that failed too often end with this reason."""
    with store.write() as connection:
        if _holds(connection, held):
            dead = RequestResult("failed", error_code="stage_failed", error_message=reason)
            _reclaim(connection, held.batch_no, held.id, dead)


def hand_back_later(store: Store, held: HeldChunk, *, after_s: float) -> None:
    """Announce a chunk again later, at no loss to its requests: Redis, the store or the disk failed."""
    with store.write() as connection:
        if _holds(connection, held):
            chunks.postpone(connection, held, after_s=after_s)


def regroup(store: Store, *, limit: int = 5_000) -> int:
    """Gather ready requests whose time has come into new chunks; returns how many requests moved."""
    due = (request.c.state == READY) & (request.c.next_attempt_at <= now_ms())
    with store.read() as connection:
        waits = _unindexed(request.c.batch_no).not_in(batches.paused())
        found = connection.execute(
            select(_unindexed(request.c.batch_no).label("batch_no")).where(due, waits).distinct()
        ).all()
    moved: list[int] = []

    def gather(connection: Connection, row: RowMapping, _: None) -> None:
        if row["status"] in batches.OPEN:
            moved.append(_gather_due(connection, row["no"], limit))
        elif row["status"] == "cancelling":
            control.cancel(connection, row["id"])

    one_by_one(store, [(one.batch_no, None) for one in found], gather)
    return sum(moved)


def wake(store: Store) -> None:
    """Look again at requests that wait for money: that of another batch may pay for them, too."""

    def end_or_wake(connection: Connection, row: RowMapping, _: None) -> None:
        while ended := waiting.ended(connection, row["no"]):
            ledger.apply_results(connection, row["no"], ended)
        ledger.apply_results(connection, row["no"], waiting.wake(connection, row["no"]))

    one_by_one(store, [(batch_no, None) for batch_no in waiting.batches_that_wait(store)], end_or_wake)


def republish(store: Store, messages: Mapping[str, int], *, after_s: float) -> int:
    """Announce queued chunks again whose messages Redis has lost; returns how many.

    In each queue, as many of the oldest chunks are announced again as messages are missing. So a long backlog
    is not multiplied; a message too many finds its chunk already claimed.

    Args:
        store: The store.
        messages: The number of messages that Redis still has, by queue.
        after_s: Only chunks that were published at least this long ago are announced again.
    """
    with store.read() as connection:
        missing = {
            queue: number - messages.get(queue, 0) for queue, number in chunks.backlog(connection).items()
        }
    return sum(
        _announce_again(store, queue, number, after_s) for queue, number in missing.items() if number > 0
    )


def _holds(connection: Connection, held: HeldChunk) -> bool:
    batches.lock(connection, held.batch_no)
    mine = (chunk.c.id == held.id) & (chunk.c.epoch == held.epoch) & (chunk.c.state == "claimed")
    return connection.execute(select(chunk.c.id).where(mine)).first() is not None


def _reclaim(connection: Connection, batch_no: int, chunk_id: int, dead: RequestResult = WORKER_LOST) -> None:
    stage = connection.execute(select(chunk.c.stage).where(chunk.c.id == chunk_id)).scalar_one()
    if stage == chunks.JUDGE:  # it holds prompts to be judged, and no request
        judge_runs.reclaim(connection, batch_no, chunk_id)
        return
    held = [r.id for r in chunk_requests.requests_of(connection, chunk_id)]
    in_flight = ledger.charge_lost_calls(connection, batch_no, held)
    # In a dispatch worker only requests that were sent can have killed it, not those that only waited.
    chunks.dissolve(connection, chunk_id, lost=in_flight if stage == chunks.DISPATCH else held)
    query = select(request.c.id).where(request.c.id.in_(held), request.c.losses >= MAX_LOSSES)
    ended = [
        Settlement(batch_no=batch_no, request_id=request_id, next=dead)
        for request_id in connection.execute(query).scalars()
    ]
    ledger.apply_results(connection, batch_no, [*ended, *waiting.wake(connection, batch_no)])


def _gather_due(connection: Connection, batch_no: int, limit: int) -> int:
    options = batches.options_of(connection, batch_no)
    query = (
        select(request.c.id, request.c.stage, request.c.model, request.c.losses)
        .where(
            _unindexed(request.c.batch_no) == batch_no,
            request.c.state == READY,
            request.c.next_attempt_at <= now_ms(),
        )
        .order_by(_unindexed(request.c.id))
        .limit(limit)
    )
    rows = connection.execute(query).all()
    for losses in sorted({row.losses for row in rows}):
        alike = [row for row in rows if row.losses == losses]
        new_chunks = decisions.dispatch_groups(
            [(row.id, row.model) for row in alike if row.stage == chunks.DISPATCH],
            _shrunk(options.group_size, losses),
        )
        new_chunks += _vector_chunks(
            [(row.id, row.stage) for row in alike if row.stage != chunks.DISPATCH],
            _shrunk(options.chunk_size, losses),
        )
        chunks.move_to_new_chunks(connection, batch_no, new_chunks)
    return len(rows)


def _unindexed(column: ColumnElement[int]) -> ColumnElement[int]:
    """Return the column as an expression: by the column itself, SQLite would walk through the whole batch."""
    return column + 0


def _shrunk(size: int, losses: int) -> int:
    """Return the size of chunks whose requests were lost before: ever smaller, at last alone.

    A prompt that kills its worker then takes no neighbour with it when it dies.
    """
    if losses == 0:
        return size
    return 1 if losses >= SUSPECT_LOSSES else max(1, size // 16)


def _vector_chunks(rows: Sequence[tuple[int, str]], size: int) -> list[chunks.NewChunk]:
    new_chunks = []
    for stage in (chunks.EMBED, chunks.ROUTE):
        ids = [request_id for request_id, its_stage in rows if its_stage == stage]
        new_chunks += [
            chunks.NewChunk(stage, ids[start : start + size]) for start in range(0, len(ids), size)
        ]
    return new_chunks


def _announce_again(store: Store, queue: str, number: int, after_s: float) -> int:
    with store.write() as connection:
        old = now_ms() - int(after_s * 1000)
        pending = select(outbox.c.chunk_id)
        query = (
            select(chunk.c.id, chunk.c.epoch, chunk.c.stage, chunk.c.queue)
            .where(chunk.c.queue == queue, chunk.c.state == "queued", chunk.c.published_at.between(1, old))
            .where(chunk.c.id.not_in(pending), chunk.c.batch_no.not_in(batches.paused()))
            .order_by(chunk.c.id)
            .limit(number)
            .with_for_update()
        )
        rows = [tuple(row) for row in connection.execute(query)]
        chunks.announce(connection, rows)
        connection.execute(
            update(chunk).where(chunk.c.id.in_([row[0] for row in rows])).values(published_at=now_ms())
        )
    return len(rows)
