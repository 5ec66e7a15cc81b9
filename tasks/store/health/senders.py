"""Whether the process that sends the lines of a batch is alive: it says so until the last line is stored."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, select, update

from tasks.store.engine import now_ms
from tasks.store.health import workers
from tasks.store.health.tables import worker


def beat(connection: Connection, batch_id: str) -> None:
    """Record that the sender is alive."""
    workers.beat(connection, _name(batch_id), role=workers.SENDER, queues=())


def gone(connection: Connection, batch_id: str) -> None:
    """Record that the sender has stopped before the last line."""
    connection.execute(update(worker).where(worker.c.name == _name(batch_id)).values(seen_at=0))


def end(connection: Connection, batch_id: str) -> None:
    """Record that every line is stored: nobody asks for the sender any more."""
    workers.leave(connection, _name(batch_id))


def is_alive(connection: Connection, batch_id: str) -> bool | None:
    """Return whether the sender of a batch is alive; None if it never said so, as in earlier versions."""
    heard = worker.c.seen_at > now_ms() - int(workers.SILENT_S * 1000)
    found = connection.execute(select(heard).where(worker.c.name == _name(batch_id))).scalar_one_or_none()
    return None if found is None else bool(found)


def stopped(connection: Connection, batch_ids: Collection[str]) -> set[str]:
    """Return those of these batches whose senders have stopped before the last line."""
    silent = worker.c.seen_at <= now_ms() - int(workers.SILENT_S * 1000)
    names = {_name(one): one for one in batch_ids}
    query = select(worker.c.name).where(worker.c.name.in_(list(names)), silent)
    return {names[name] for name in connection.execute(query).scalars()} if names else set()


def _name(batch_id: str) -> str:
    return f"{workers.SENDER}@{batch_id}"
