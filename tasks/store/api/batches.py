"""Batches of the API in the store: from their creation over their validation to their end."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, RowMapping, Select, and_, insert, or_, select, update

from tasks.store.api.files import beyond
from tasks.store.api.tables import api_batch
from tasks.store.engine import now_ms
from tasks.store.tables import batch

VALIDATING, RUNNING, ENDED, FAILED, CANCELLED = "validating", "running", "ended", "failed", "cancelled"
#: states in which nothing changes any more
FINAL = (ENDED, FAILED, CANCELLED)
#: what the batch of the same id has to say of its requests, as `run_…`
_OF_BATCH = (
    "no", "status", "total", "invalid", "succeeded", "failed", "cancelled", "spent", "finished_at",
    "data_deleted_at",
)  # fmt: skip


def create(connection: Connection, *, window_s: float, **values: Any) -> RowMapping:
    """Store a batch that waits for its validation, and return it as `find` does."""
    row = {
        "state": VALIDATING,
        "created_at": now_ms(),
        "expires_at": now_ms() + int(window_s * 1000),
        **values,
    }
    connection.execute(insert(api_batch).values(**row))
    return by_id(connection, values["id"])


def by_id(connection: Connection, batch_id: str) -> RowMapping:
    """Return a batch with what its requests have come to."""
    return connection.execute(with_run().where(api_batch.c.id == batch_id)).mappings().one()


def find(connection: Connection, owner: str, batch_id: str) -> RowMapping | None:
    """Return a batch of this owner with what its requests have come to; None if there is none."""
    mine = with_run().where(api_batch.c.id == batch_id, api_batch.c.owner == owner)
    return connection.execute(mine).mappings().one_or_none()


def of_file(connection: Connection, owner: str, file_id: str) -> RowMapping | None:
    """Return the batch of this owner whose output or error file this is; None if there is none."""
    is_file = or_(api_batch.c.output_file_id == file_id, api_batch.c.error_file_id == file_id)
    query = with_run().where(is_file, api_batch.c.owner == owner)
    return connection.execute(query).mappings().one_or_none()


def page(connection: Connection, owner: str, *, after: str | None, limit: int) -> list[RowMapping] | None:
    """Return the next batches of an owner, the newest first; None if `after` is no batch of it."""
    query = with_run().where(api_batch.c.owner == owner)
    if after is not None:
        cursor = find(connection, owner, after)
        if cursor is None:
            return None
        query = query.where(beyond(api_batch, cursor, newest_first=True))
    order = query.order_by(api_batch.c.created_at.desc(), api_batch.c.id.desc())
    return list(connection.execute(order.limit(limit)).mappings())


def same(
    connection: Connection, owner: str, *, idempotency_key: str | None, fingerprint: str, within_s: float
) -> RowMapping | None:
    """Return the batch that an earlier, equal creation made; None if there is none.

    With an idempotency key it is the one that was created with it. Without one it is the newest that was
    created from the same file with the same options at most `within_s` ago, and of which the owner was not
    seen to know: the reply to that creation may have been lost.
    """
    if idempotency_key is not None:
        wanted = api_batch.c.idempotency_key == idempotency_key
    else:
        recent = api_batch.c.created_at > now_ms() - int(within_s * 1000)
        unknown = api_batch.c.known_at.is_(None) & api_batch.c.idempotency_key.is_(None)
        wanted = and_(api_batch.c.fingerprint == fingerprint, recent, unknown)
    query = (
        with_run().where(api_batch.c.owner == owner, wanted).order_by(api_batch.c.created_at.desc()).limit(1)
    )
    return connection.execute(query).mappings().first()


def note_known(connection: Connection, batch_id: str) -> None:
    """Note that its owner has asked for a batch, whose id it knows.

    To have it in a list is no sign of that: some other program may list what its creator has no reply for.
    """
    unknown = (api_batch.c.id == batch_id) & api_batch.c.known_at.is_(None)
    connection.execute(update(api_batch).where(unknown).values(known_at=now_ms()))


def with_run() -> Select[Any]:
    """Return the query of batches with what their requests have come to, as `run_…`."""
    run = [batch.c[name].label(f"run_{name}") for name in _OF_BATCH]
    return select(api_batch, *run).select_from(api_batch.outerjoin(batch, batch.c.id == api_batch.c.id))
