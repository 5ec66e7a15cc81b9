"""What an owner changes of a batch that was submitted: a pause, a budget, another try; all within its key.

The batches of the command, which have no key, are the operators'.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select

from tasks.batch_api import ending
from tasks.batch_api.creation import no_room, periods, refuse_too_many
from tasks.batch_api.errors import ApiError
from tasks.store import batches, control, steering
from tasks.store.api import audit, keys
from tasks.store.api import batches as api_batches
from tasks.store.api.keys import Key
from tasks.store.engine import now_ms


def pause(connection: Connection, key: Key, batch_id: str, owner: str | None) -> None:
    """Begin nothing of a batch until it is resumed."""
    steering.pause(connection, batch_id)
    _note(connection, "batch.pause", key, batch_id, owner)


def resume(connection: Connection, key: Key, batch_id: str, owner: str | None) -> None:
    """Let a paused batch go on."""
    steering.resume(connection, batch_id)
    _note(connection, "batch.resume", key, batch_id, owner)


def cancel(connection: Connection, key: Key, batch_id: str, owner: str | None) -> None:
    """Cancel a batch, in whatever state it is."""
    if owner is not None:
        ending.cancel(connection, api_batches.by_id(connection, batch_id))  # which writes the entry
    else:
        control.cancel(connection, batch_id)
        _note(connection, "batch.cancel", key, batch_id, owner)


def set_budget(connection: Connection, key: Key, batch_id: str, owner: str | None, budget: int) -> None:
    """Set the cap of a running batch, in micro-dollars.

    Raises:
        LimitReached: The key has less left of its budget.
        UsageError: The batch has ended, or has spent or reserved more.
    """
    if owner is not None:
        _refuse_beyond_key(connection, owner, batch_id, budget)
    steering.set_budget(connection, batch_id, budget)
    _note(connection, "batch.budget", key, batch_id, owner, budget=budget)


def retry(connection: Connection, key: Key, batch_id: str, owner: str | None, budget: int | None) -> int:
    """Send again what failed or was cancelled, under a new cap if one is named; returns how many requests.

    Raises:
        LimitReached: The key has less left of its budget, or has as many unfinished batches as it may have.
        UsageError: The batch still runs, or its texts were deleted.
    """
    if owner is not None:
        refuse_too_many(connection, _locked(connection, owner))
        _refuse_beyond_key(connection, owner, batch_id, budget)
    number = control.retry(connection, batch_id, budget=budget)
    _note(connection, "batch.retry", key, batch_id, owner, requests=number)
    return number


def _refuse_beyond_key(connection: Connection, owner: str, batch_id: str, budget: int | None) -> None:
    """Raise LimitReached where a batch that runs with this budget, or else its own, would not fit the key.

    It counts in the day and in the month of its creation, whenever it runs.
    """
    key, row = _locked(connection, owner), batches.find(connection, batch_id)
    wanted = row["budget"] if budget is None else budget
    now = connection.execute(select(now_ms())).scalar_one()
    for one in periods(key, api_batches.by_id(connection, batch_id)["created_at"]):
        room = one.most - keys.committed(connection, key.id, one.since, one.until) + _counted(row)
        if wanted is None or wanted > room:
            raise no_room(room, f"this {one.name}" if now < one.until else f"the batch's {one.name}")


def _counted(row: Mapping[Any, Any]) -> int:
    """Return what `keys.committed` counts for a batch now."""
    amount = row["spent"] if row["status"] in batches.FINISHED else row["budget"]
    return int(amount or 0)


def _locked(connection: Connection, owner: str) -> Key:
    key = keys.lock(connection, owner)
    if key is None:
        raise ApiError("the key is revoked", code="invalid_api_key")
    return key


def _note(
    connection: Connection, action: str, key: Key, batch_id: str, owner: str | None, **detail: Any
) -> None:
    audit.note(connection, action, batch_id, owner=owner or audit.OPERATOR, actor=key.id, **detail)
