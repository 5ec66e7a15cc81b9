"""Chunks: opening, holding and handing back units of work.

A chunk is claimed at most once per message: the claim (`claims`) raises its epoch, so a repeated or stale
message finds nothing. A chunk whose lease runs out is dissolved (see `sweep`) and its requests are gathered
into new ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    bindparam,
    exists,
    func,
    insert,
    select,
    update,
)

from tasks import tracing
from tasks.errors import StaleWork
from tasks.store.engine import now_ms
from tasks.store.ids import SENT
from tasks.store.tables import attempt, batch, chunk, outbox, request
from tasks.store.values import HeldChunk

EMBED, ROUTE, DISPATCH, JUDGE = "embed", "route", "dispatch", "judge"


@dataclass(frozen=True, slots=True)
class NewChunk:
    """Requests that go into one new chunk."""

    stage: str
    request_ids: Sequence[int]
    model: str | None = None

    @property
    def queue(self) -> str:
        """The Redis queue that announces it."""
        return f"{DISPATCH}.{self.model}" if self.stage == DISPATCH else self.stage


def open_chunks(connection: Connection, batch_no: int, new_chunks: Sequence[NewChunk]) -> list[int]:
    """Insert the chunks with their outbox rows and return their ids; the caller then updates the requests."""
    if not new_chunks:
        return []
    rows = [
        {
            "batch_no": batch_no,
            "stage": one.stage,
            "queue": one.queue,
            "state": "queued",
            "epoch": 0,
            "vector_epoch": 0,
            "size": len(one.request_ids),
            "trace": tracing.current(),
        }
        for one in new_chunks
    ]
    fresh = insert(chunk).values(opened_at=now_ms())
    statement = fresh.returning(chunk.c.id, sort_by_parameter_order=True)
    ids = [int(row.id) for row in connection.execute(statement, rows)]
    announce(connection, [(i, 0, one.stage, one.queue) for i, one in zip(ids, new_chunks, strict=True)])
    return ids


def move_to_new_chunks(connection: Connection, batch_no: int, new_chunks: Sequence[NewChunk]) -> None:
    """Open chunks for requests that exist already and move the requests into them."""
    ids = open_chunks(connection, batch_no, new_chunks)
    rows = [
        {"r": request_id, "chunk": chunk_id, "to_stage": one.stage, "to_model": one.model}
        for chunk_id, one in zip(ids, new_chunks, strict=True)
        for request_id in one.request_ids
    ]
    if rows:
        connection.execute(
            update(request)
            .where(request.c.id == bindparam("r"))
            .values(
                chunk_id=bindparam("chunk"),
                state="held",
                stage=bindparam("to_stage"),
                model=bindparam("to_model"),
            ),
            rows,
        )


def announce(connection: Connection, messages: Iterable[tuple[int, int, str, str]]) -> None:
    """Put (chunk id, epoch, stage, queue) into the outbox, to be published once this transaction commits."""
    rows = [dict(zip(("chunk_id", "epoch", "stage", "queue"), message, strict=True)) for message in messages]
    if rows:
        connection.execute(insert(outbox), rows)


def extend(connection: Connection, chunk_ids: Sequence[int], *, owner: str, lease_s: float) -> set[int]:
    """Prolong the leases of these chunks; returns the ids still held by `owner`."""
    mine = chunk.c.id.in_(chunk_ids) & (chunk.c.owner == owner) & (chunk.c.state == "claimed")
    ids = lock(connection, mine)
    connection.execute(update(chunk).where(chunk.c.id.in_(ids)).values(lease_until=_until(lease_s)))
    return set(ids)


def lock(connection: Connection, condition: ColumnElement[bool]) -> list[int]:
    """Lock several chunks, in one order everywhere, so that no two transactions wait for each other."""
    return [int(row.id) for row in connection.execute(_locking(condition))]


def _locking(condition: ColumnElement[bool]) -> Select[tuple[int]]:
    return select(chunk.c.id).where(condition).order_by(chunk.c.id).with_for_update()


def pass_on(connection: Connection, held: HeldChunk, *, to_stage: str) -> None:
    """Hand a finished chunk to the other vector stage: embed to route, or back when the vectors are gone.

    Raises:
        StaleWork: The chunk was taken away in the meantime; nothing changed.
    """
    vector_epoch = held.epoch if to_stage == ROUTE else 0
    _fenced(
        connection,
        held,
        state="queued",
        stage=to_stage,
        queue=to_stage,
        vector_epoch=vector_epoch,
        lease_until=0,
        published_at=0,
        opened_at=now_ms(),
        trace=tracing.current() or held.trace,
    )
    announce(connection, [(held.id, held.epoch, to_stage, to_stage)])


def postpone(connection: Connection, held: HeldChunk, *, after_s: float) -> None:
    """Announce a claimed chunk again later: its model has no room now. Raises StaleWork as `pass_on` does."""
    _fenced(connection, held, state="queued", lease_until=0, published_at=0)
    row = {"chunk_id": held.id, "epoch": held.epoch, "stage": held.stage, "queue": held.queue}
    connection.execute(insert(outbox).values(**row, available_at=_until(after_s)))


def close(connection: Connection, held: HeldChunk) -> None:
    """Mark a chunk done; raises StaleWork as `pass_on` does."""
    _fenced(connection, held, state="done", lease_until=0)


_HOLDS = exists().where(request.c.chunk_id == chunk.c.id, request.c.state == "held")
_OF_THESE = chunk.c.id.in_(bindparam("chunk_ids", expanding=True))
_EMPTY = _locking(_OF_THESE & ~_HOLDS & (chunk.c.state != "done"))


def close_empty(connection: Connection, chunk_ids: Iterable[int]) -> None:
    """Mark those of the chunks done that hold no request any more."""
    if ids := list(connection.execute(_EMPTY, {"chunk_ids": list(chunk_ids)}).scalars()):
        connection.execute(update(chunk).where(chunk.c.id.in_(ids)).values(state="done", lease_until=0))


def dissolve(connection: Connection, chunk_id: int, *, lost: Iterable[int]) -> None:
    """Close a chunk and free its requests for new ones; those `lost` with their worker are counted."""
    connection.execute(
        update(chunk)
        .where(chunk.c.id == chunk_id)
        .values(state="done", epoch=chunk.c.epoch + 1, lease_until=0)
    )
    # A route chunk starts again at the embed stage: its vectors may be gone, and the cache makes that cheap.
    held = update(request).where(request.c.chunk_id == chunk_id, request.c.state == "held")
    connection.execute(held.where(request.c.id.in_(list(lost))).values(losses=request.c.losses + 1))
    connection.execute(held.values(state="ready", chunk_id=None, next_attempt_at=0))


def hand_back(connection: Connection, batch_no: int, request_ids: Sequence[int], *, owner: str) -> None:
    """Make requests ready that this worker has not sent, because it shuts down; no loss is counted.

    One whose reservation the worker does not know of, since the store's reply was lost, is left to its lease.
    """
    connection.execute(select(batch.c.no).where(batch.c.no == batch_no).with_for_update())
    mine = select(chunk.c.id).where(chunk.c.owner == owner, chunk.c.state == "claimed")
    reserved = exists().where(attempt.c.request_id == request.c.id, attempt.c.state == SENT)
    held = (request.c.id.in_(request_ids), request.c.state == "held", request.c.chunk_id.in_(mine), ~reserved)
    chunk_ids = [
        row.chunk_id for row in connection.execute(select(request.c.chunk_id).where(*held).distinct())
    ]
    connection.execute(update(request).where(*held).values(state="ready", chunk_id=None, next_attempt_at=0))
    close_empty(connection, chunk_ids)


def backlog(connection: Connection) -> dict[str, int]:
    """Return the number of published chunks that wait to be claimed, by queue, without paused batches."""
    paused = select(batch.c.no).where(batch.c.paused_at.is_not(None))
    query = (
        select(chunk.c.queue, func.count())
        .where(chunk.c.state == "queued", chunk.c.published_at > 0, chunk.c.batch_no.not_in(paused))
        .group_by(chunk.c.queue)
    )
    return dict(connection.execute(query).all())


def queued(connection: Connection, queue: str, *, limit: int) -> int:
    """Return how many chunks wait in a queue, announced or not; counts no further than `limit`."""
    waiting = select(chunk.c.id).where(chunk.c.queue == queue, chunk.c.state == "queued").limit(limit)
    return connection.execute(select(func.count()).select_from(waiting.subquery())).scalar_one()


def _fenced(connection: Connection, held: HeldChunk, **values: object) -> None:
    statement = update(chunk).where(
        chunk.c.id == held.id, chunk.c.epoch == held.epoch, chunk.c.state == "claimed"
    )
    if connection.execute(statement.values(**values)).rowcount != 1:
        raise StaleWork(f"chunk {held.id} at epoch {held.epoch} is no longer held by this worker")


def _until(lease_s: float) -> object:
    return now_ms() + int(lease_s * 1000)
