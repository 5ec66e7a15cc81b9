"""The roles that a batch waits for and that no worker has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, exists, select

from tasks.store import batches
from tasks.store.batch_options import BatchOptions
from tasks.store.chunks import DISPATCH, EMBED, JUDGE, ROUTE
from tasks.store.engine import now_ms
from tasks.store.health import workers
from tasks.store.tables import chunk, upkeep_mark

UPKEEP = "upkeep"


def missing_roles(connection: Connection, row: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what to give to `waybill worker`, once for each role that a batch waits for in vain.

    A dispatch worker may be missing for some models only: `dispatch --models A,B`. It reads the workers that
    are alive, and looks at chunks only for the queues that none of them serves.

    Args:
        connection: An open transaction.
        row: The batch's row.
    """
    if row["status"] not in batches.UNFINISHED or row["paused_at"] is not None:
        return ()
    alive = workers.alive(connection)
    served = {queue for one in alive for queue in one.queues}
    waited = [queue for queue in _queues(row) if queue not in served and _waits(connection, row["no"], queue)]
    roles = [] if _has_upkeep(connection, alive) else [UPKEEP]
    return (*roles, *_as_arguments(waited, dispatches=any(one.role == DISPATCH for one in alive)))


def missing_text(missing: tuple[str, ...], *, lacks_stack: bool) -> str:
    """Return in words which workers are missing, and the command that starts each; empty if none is.

    Args:
        missing: What `missing_roles` returned.
        lacks_stack: Whether `waybill up` may start them all: at a team's store it would be a second stack.
    """
    if not missing:
        return ""
    names = ", ".join(dict.fromkeys(one.partition(" ")[0] for one in missing))
    commands = ", ".join(f"`waybill worker {one}`" for one in missing)
    kind = "worker" if len(missing) == 1 else "workers"
    stack = ", or `waybill up` for all" if lacks_stack else ""
    return f"it waits, because no {names} {kind} ran in the last minute: {commands}{stack}"


def _queues(row: Mapping[str, Any]) -> list[str]:
    options = BatchOptions.readable(row["options"]) or BatchOptions()
    models = {*options.prices, *options.models}
    return [EMBED, ROUTE, JUDGE, *(f"{DISPATCH}.{name}" for name in sorted(models))]


def _waits(connection: Connection, batch_no: int, queue: str) -> bool:
    """Return whether chunks of the batch wait in a queue of which nobody works on any chunk."""
    queued = _exists(chunk.c.queue == queue, chunk.c.state == "queued", chunk.c.batch_no == batch_no)
    # Workers of earlier versions do not say that they are alive, but they hold leases.
    held = _exists(chunk.c.queue == queue, chunk.c.state == "claimed", chunk.c.lease_until > now_ms())
    return bool(connection.execute(select(queued & ~held)).scalar_one())


def _has_upkeep(connection: Connection, alive: list[workers.AliveWorker]) -> bool:
    if any(one.role == UPKEEP for one in alive):
        return True
    recent = upkeep_mark.c.written_at > now_ms() - int(workers.SILENT_S * 1000)
    return bool(connection.execute(select(_exists(recent))).scalar_one())


def _exists(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists().where(*conditions)


def _as_arguments(queues: list[str], *, dispatches: bool) -> list[str]:
    models = [queue.removeprefix(f"{DISPATCH}.") for queue in queues if queue.startswith(f"{DISPATCH}.")]
    roles = [queue for queue in queues if not queue.startswith(f"{DISPATCH}.")]
    if not models:
        return roles
    return [*roles, f"{DISPATCH} --models {','.join(models)}" if dispatches else DISPATCH]
