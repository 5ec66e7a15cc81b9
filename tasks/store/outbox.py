"""The outbox: messages that are committed with the work that they announce, and published afterwards.

This is the transactional outbox pattern (Richardson, Microservices Patterns, 2018).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, select, tuple_, update

from tasks import failpoints
from tasks.store import chunks
from tasks.store.engine import Store, now_ms
from tasks.store.tables import chunk, outbox

#: how long a relay may take to publish the messages that it has claimed
RELAY_LEASE_S = 10.0


@dataclass(frozen=True, slots=True)
class Message:
    """A message through Redis: a chunk's id and epoch, and the stage and queue that it goes to."""

    chunk_id: int
    epoch: int
    stage: str
    queue: str


def relay(store: Store, publish: Callable[[Sequence[Message]], None], *, limit: int = 500) -> int:
    """Publish waiting messages, oldest first, delete them, and return their number.

    A relay claims messages, publishes them outside of any transaction (a slow broker must not block the
    store) and only then deletes them. If it dies, or its broker fails, they are published again after
    `RELAY_LEASE_S`. A message that is published twice is harmless: its chunk is claimed by then.
    """
    due = outbox.c.available_at <= now_ms()
    with store.read() as connection:  # an idle relay must not take SQLite's write lock
        if connection.execute(select(outbox.c.id).where(due).limit(1)).first() is None:
            return 0
    with store.write() as connection:
        rows = _claim(connection, due, limit)
    publish([Message(row.chunk_id, row.epoch, row.stage, row.queue) for row in rows])
    failpoints.reach("after_publish")
    with store.write() as connection:
        _delete(connection, rows)
    return len(rows)


def _claim(connection: Connection, due: ColumnElement[bool], limit: int) -> list[Row[Any]]:
    # With SKIP LOCKED, several relays share the work.
    first = (
        select(outbox.c.id).where(due).order_by(outbox.c.id).limit(limit).with_for_update(skip_locked=True)
    )
    lease_end = now_ms() + int(RELAY_LEASE_S * 1000)
    claimed = update(outbox).where(outbox.c.id.in_(first)).values(available_at=lease_end)
    return sorted(connection.execute(claimed.returning(outbox)), key=lambda row: row.id)


def _delete(connection: Connection, rows: Sequence[Row[Any]]) -> None:
    # Not by their ids alone: SQLite gives that of the last row away again, once another relay has deleted it.
    key = tuple_(outbox.c.id, outbox.c.chunk_id, outbox.c.epoch)
    published = [(row.id, row.chunk_id, row.epoch) for row in rows]
    connection.execute(delete(outbox).where(key.in_(published)))
    ids = chunks.lock(connection, chunk.c.id.in_([row.chunk_id for row in rows]))
    connection.execute(update(chunk).where(chunk.c.id.in_(ids)).values(published_at=now_ms()))
