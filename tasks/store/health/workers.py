"""Workers that are alive: each says so from the moment at which it takes work, until it ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, literal, select, update

from tasks.store.engine import now_ms
from tasks.store.health.tables import worker
from tasks.store.outcomes import insert_ignoring
from tasks.store.tables import batch

#: how often a worker says that it is alive
BEAT_S = 15.0
#: one that was not heard of for so long counts no longer: it was killed, or its host is gone
SILENT_S = 60.0
#: the role of those who send the lines of a batch: see `senders`
SENDER = "sender"
#: the rows of workers that were killed are deleted after a day, and those of senders whose batch has ended
_FORGOTTEN_MS = 24 * 3_600_000


@dataclass(frozen=True, slots=True)
class Load:
    """What a worker uses: resident memory, and processors lately (1.5: one and a half of them)."""

    memory_bytes: int
    cpu: float | None


@dataclass(frozen=True, slots=True)
class AliveWorker:
    """A worker that is alive; the queues are those that it takes work from, and upkeep has none.

    Its load is None where it does not tell: a worker of an earlier version, or not on Linux. `is_refused`:
    its Redis user may not do what its role needs.
    """

    name: str
    role: str
    queues: tuple[str, ...]
    started_at: int
    memory_bytes: int | None = None
    cpu: float | None = None
    is_refused: bool = False


def beat(
    connection: Connection,
    name: str,
    *,
    role: str,
    queues: Sequence[str],
    load: Load | None = None,
    is_refused: bool = False,
) -> None:
    """Record that a worker is alive, and whether Redis refuses it; forget those of days ago."""
    used: dict[str, Any] = {} if load is None else {"memory_bytes": load.memory_bytes, "cpu": load.cpu}
    used["is_refused"] = is_refused
    mine = update(worker).where(worker.c.name == name).values(seen_at=now_ms(), **used)
    if connection.execute(mine).rowcount:
        return
    row: dict[str, Any] = {"name": name, "role": role, "queues": list(queues), **used}
    row |= {"started_at": now_ms(), "seen_at": now_ms()}
    connection.execute(insert_ignoring(connection, worker).values(**row))
    sent = select(literal(f"{SENDER}@") + batch.c.id).where(batch.c.status == "ingesting")
    is_asked_for = (worker.c.role == SENDER) & worker.c.name.in_(sent)
    old = worker.c.seen_at < now_ms() - _FORGOTTEN_MS
    connection.execute(delete(worker).where(old, ~is_asked_for))


def leave(connection: Connection, name: str) -> None:
    """Record that a worker has ended."""
    connection.execute(delete(worker).where(worker.c.name == name))


def is_alive() -> ColumnElement[bool]:
    """Return the condition that a row is that of a worker which is alive."""
    return (worker.c.seen_at > now_ms() - int(SILENT_S * 1000)) & (worker.c.role != SENDER)


def alive(connection: Connection) -> list[AliveWorker]:
    """Return the workers that are alive, by name."""
    rows = connection.execute(select(worker).where(is_alive()).order_by(worker.c.name))
    return [
        AliveWorker(
            row.name, row.role, tuple(row.queues), row.started_at, row.memory_bytes, row.cpu, row.is_refused
        )
        for row in rows
    ]


def lacks_stack(connection: Connection) -> bool:
    """Return whether `waybill up` should serve this store: a file of one host at which no worker is alive.

    At any other store a stack would be a second one, with a Redis, limits and circuits of its own.
    """
    return connection.dialect.name == "sqlite" and not alive(connection)


def alive_by_role(connection: Connection) -> dict[str, int]:
    """Return the number of workers that are alive, by role; a role without any is not among them."""
    return dict(Counter(one.role for one in alive(connection)))
