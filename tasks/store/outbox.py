"""The outbox: messages that were committed with the work they announce and wait to be published."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, select, update

from tasks import failpoints
from tasks.store import chunks
from tasks.store.engine import Store, now_ms
from tasks.store.tables import chunk, outbox

#: how long a relay has for publishing what it took
HOLD_S = 10.0


@dataclass(frozen=True, slots=True)
class Message:
    """What travels through Redis: ids only."""

    chunk_id: int
    epoch: int
    stage: str
    queue: str


def relay(store: Store, publish: Callable[[Sequence[Message]], None], *, limit: int = 500) -> int:
    """Publish waiting messages, oldest first, and forget them; returns how many.

    A relay takes messages for a while, publishes them outside of any transaction (a slow broker must not hold
    up the store) and only then forgets them. If it dies, or its broker fails, they are published again after
    `HOLD_S`; a message that is published twice finds its chunk claimed.
    """
    due = outbox.c.available_at <= now_ms()
    with store.read() as connection:  # an idle relay must not take SQLite's write lock
        if connection.execute(select(outbox.c.id).where(due).limit(1)).first() is None:
            return 0
    with store.write() as connection:
        rows = _take(connection, due, limit)
    publish([Message(row.chunk_id, row.epoch, row.stage, row.queue) for row in rows])
    failpoints.reach("after_publish")
    with store.write() as connection:
        _forget(connection, rows)
    return len(rows)


def _take(connection: Connection, due: ColumnElement[bool], limit: int) -> list[Row[Any]]:
    # SKIP LOCKED lets several relays share the work.
    first = (
        select(outbox.c.id).where(due).order_by(outbox.c.id).limit(limit).with_for_update(skip_locked=True)
    )
    taken = update(outbox).where(outbox.c.id.in_(first)).values(available_at=now_ms() + int(HOLD_S * 1000))
    return sorted(connection.execute(taken.returning(outbox)), key=lambda row: row.id)


def _forget(connection: Connection, rows: Sequence[Row[Any]]) -> None:
    connection.execute(delete(outbox).where(outbox.c.id.in_([row.id for row in rows])))
    ids = chunks.lock(connection, chunk.c.id.in_([row.chunk_id for row in rows]))
    connection.execute(update(chunk).where(chunk.c.id.in_(ids)).values(published_at=now_ms()))
