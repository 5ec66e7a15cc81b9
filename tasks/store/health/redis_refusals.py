"""Workers whose Redis user lacks a right: each notes it in the store, so that no view has to ask Redis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, select, update

from tasks.store import batches
from tasks.store.engine import now_ms
from tasks.store.outcomes import insert_ignoring
from tasks.store.tables import upkeep_mark

#: a note that is older says nothing: a worker repeats it with its heartbeat
FRESH_S = 60.0
#: what owners of keys see instead of a name
A_WORKER = "a worker"
_PREFIX = "redis refuses: "
_FORGOTTEN_MS = 86_400_000


def note(connection: Connection, worker: str) -> None:
    """Note that Redis refuses this worker what its role needs, and forget what was noted days ago."""
    mine = update(upkeep_mark).where(upkeep_mark.c.name == _PREFIX + worker).values(written_at=now_ms())
    if not connection.execute(mine).rowcount:
        fresh = insert_ignoring(connection, upkeep_mark)
        connection.execute(fresh.values(name=_PREFIX + worker, written_at=now_ms()))
        old = upkeep_mark.c.written_at < now_ms() - _FORGOTTEN_MS
        connection.execute(delete(upkeep_mark).where(is_note(), old))


def take_back(connection: Connection, worker: str) -> None:
    """Note that this worker may do what its role needs, or has ended."""
    connection.execute(delete(upkeep_mark).where(upkeep_mark.c.name == _PREFIX + worker))


def is_note() -> ColumnElement[bool]:
    """Return the condition that a mark is such a note, which no upkeep wrote."""
    return upkeep_mark.c.name.startswith(_PREFIX, autoescape=True)


def refused_workers(connection: Connection, row: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the workers that Redis refuses, while a batch waits; none where nothing may begin.

    Args:
        connection: An open transaction.
        row: The batch's row.
    """
    if row["status"] not in batches.UNFINISHED or row["paused_at"] is not None:
        return ()
    fresh = upkeep_mark.c.written_at > now_ms() - int(FRESH_S * 1000)
    query = select(upkeep_mark.c.name).where(fresh, is_note()).order_by(upkeep_mark.c.name)
    return tuple(str(name).removeprefix(_PREFIX) for name in connection.execute(query).scalars())


def refused_text(workers: tuple[str, ...]) -> str:
    """Return in words which workers Redis refuses; empty if none."""
    if not workers:
        return ""
    return f"Redis refuses {', '.join(workers)}: the user in its Redis URL may not do what its role needs"
