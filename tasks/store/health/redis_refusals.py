"""Workers whose Redis user lacks a right: each says so with its heartbeat, and no view asks Redis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select

from tasks.store import batches
from tasks.store.health import workers
from tasks.store.health.tables import worker

#: what owners of keys see instead of a name
A_WORKER = "a worker"


def refused_workers(connection: Connection, row: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the workers that Redis refuses, while a batch waits; none where nothing may begin.

    Args:
        connection: An open transaction.
        row: The batch's row.
    """
    if row["status"] not in batches.UNFINISHED or row["paused_at"] is not None:
        return ()
    query = select(worker.c.name).where(workers.is_alive(), worker.c.is_refused).order_by(worker.c.name)
    return tuple(connection.execute(query).scalars())


def refused_text(refused: tuple[str, ...]) -> str:
    """Return in words which workers Redis refuses; empty if none."""
    if not refused:
        return ""
    return f"Redis refuses {', '.join(refused)}: the user in its Redis URL may not do what its role needs"
