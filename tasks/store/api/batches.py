"""Batches of the API in the store: from their creation over their validation to their end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, and_, func, insert, or_, select, true, update

from tasks.store import batches
from tasks.store.api.files import beyond
from tasks.store.api.tables import api_batch, api_file
from tasks.store.engine import now_ms
from tasks.store.tables import attempt, batch

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
    return connection.execute(_query().where(api_batch.c.id == batch_id)).mappings().one()


def find(connection: Connection, owner: str, batch_id: str) -> RowMapping | None:
    """Return a batch of this owner with what its requests have come to; None if there is none."""
    mine = _query().where(api_batch.c.id == batch_id, api_batch.c.owner == owner)
    return connection.execute(mine).mappings().one_or_none()


def of_file(connection: Connection, owner: str, file_id: str) -> RowMapping | None:
    """Return the batch of this owner whose output or error file this is; None if there is none."""
    is_file = or_(api_batch.c.output_file_id == file_id, api_batch.c.error_file_id == file_id)
    query = _query().where(is_file, api_batch.c.owner == owner)
    return connection.execute(query).mappings().one_or_none()


def page(connection: Connection, owner: str, *, after: str | None, limit: int) -> list[RowMapping] | None:
    """Return the next batches of an owner, the newest first; None if `after` is no batch of it."""
    query = _query().where(api_batch.c.owner == owner)
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
        _query().where(api_batch.c.owner == owner, wanted).order_by(api_batch.c.created_at.desc()).limit(1)
    )
    return connection.execute(query).mappings().first()


def note_known(connection: Connection, batch_ids: Sequence[str]) -> None:
    """Note that the owner knows of these batches."""
    unknown = api_batch.c.id.in_(batch_ids) & api_batch.c.known_at.is_(None)
    connection.execute(update(api_batch).where(unknown).values(known_at=now_ms()))


# Validation


def claim(connection: Connection, *, lease_s: float, max_bytes: int | None = None) -> RowMapping | None:
    """Take the oldest batch that nobody validates; None if there is none.

    Args:
        lease_s: How long it is this process's, unless `renew` prolongs it.
        max_bytes: Only batches whose input file is at most this large.
    """
    size = func.coalesce(api_file.c.bytes, 0)
    first = (
        select(api_batch.c.id)
        .outerjoin(api_file, api_file.c.id == api_batch.c.input_file_id)
        .where(api_batch.c.state == VALIDATING, api_batch.c.lease_until < now_ms())
        .where(true() if max_bytes is None else size <= max_bytes)
        .order_by(api_batch.c.created_at, api_batch.c.id)
        .limit(1)
        .with_for_update(skip_locked=True, of=api_batch)
    )
    taken = update(api_batch).where(api_batch.c.id == first.scalar_subquery())
    values = {"lease_until": now_ms() + int(lease_s * 1000), "fence": api_batch.c.fence + 1}
    return connection.execute(taken.values(**values).returning(api_batch)).mappings().one_or_none()


def waits(connection: Connection) -> bool:
    """Return whether a batch waits for its validation."""
    query = select(api_batch.c.id).where(api_batch.c.state == VALIDATING, api_batch.c.lease_until < now_ms())
    return connection.execute(query.limit(1)).first() is not None


def renew(connection: Connection, batch_id: str, fence: int, *, lease_s: float) -> bool:
    """Prolong the lease on a batch; False if another process has it, or it is validated or cancelled."""
    mine = _held(batch_id, fence)
    return connection.execute(mine.values(lease_until=now_ms() + int(lease_s * 1000))).rowcount == 1


def set_in_progress(connection: Connection, batch_id: str, fence: int) -> bool:
    """Note that the requests of a validated batch are being stored; False as for `renew`."""
    at = func.coalesce(api_batch.c.in_progress_at, now_ms())
    return connection.execute(_held(batch_id, fence).values(in_progress_at=at)).rowcount == 1


def set_running(connection: Connection, batch_id: str, fence: int) -> bool:
    """End the validation of a batch whose requests are all stored; False as for `renew`."""
    at = func.coalesce(api_batch.c.in_progress_at, now_ms())
    return (
        connection.execute(
            _held(batch_id, fence).values(state=RUNNING, in_progress_at=at, lease_until=0)
        ).rowcount
        == 1
    )


def fail(connection: Connection, batch_id: str, fence: int, errors: Sequence[Mapping[str, Any]]) -> bool:
    """End a batch that is not valid; False as for `renew`."""
    ended = {"state": FAILED, "errors": list(errors), "ended_at": now_ms()}
    return connection.execute(_held(batch_id, fence).values(**ended)).rowcount == 1


def _held(batch_id: str, fence: int) -> Any:
    mine = (api_batch.c.id == batch_id) & (api_batch.c.fence == fence) & (api_batch.c.state == VALIDATING)
    return update(api_batch).where(mine)


# The end


def end_unstored(connection: Connection, batch_id: str, *, expired: bool) -> bool:
    """End a batch of which no request is stored yet, expired or cancelled; False if some are by now."""
    unstored = (api_batch.c.state == VALIDATING) & api_batch.c.in_progress_at.is_(None)
    values = (
        {"state": ENDED, "expired_at": now_ms()}
        if expired
        else {"state": CANCELLED, "cancelling_at": now_ms()}
    )
    mine = update(api_batch).where(api_batch.c.id == batch_id, unstored)
    return connection.execute(mine.values(ended_at=now_ms(), **values)).rowcount == 1


def set_cancelling(connection: Connection, batch_id: str) -> None:
    """Note when a batch was cancelled."""
    first = api_batch.c.cancelling_at.is_(None) & (api_batch.c.id == batch_id)
    connection.execute(update(api_batch).where(first).values(cancelling_at=now_ms()))


def overdue(connection: Connection, limit: int) -> list[RowMapping]:
    """Return batches whose time is over and that have not ended."""
    query = _query().where(
        api_batch.c.state.in_((VALIDATING, RUNNING)),
        api_batch.c.expires_at < now_ms(),
        api_batch.c.expired_at.is_(None),
        or_(batch.c.status.is_(None), batch.c.status.in_(batches.OPEN)),
    )
    return list(connection.execute(query.order_by(api_batch.c.expires_at).limit(limit)).mappings())


def set_expired(connection: Connection, batch_id: str) -> None:
    """Note that the time of a batch was over before its requests had ended."""
    connection.execute(update(api_batch).where(api_batch.c.id == batch_id).values(expired_at=now_ms()))


def claim_finished(connection: Connection, *, lease_s: float) -> RowMapping | None:
    """Take a batch whose requests have ended and whose files nobody measures yet; None if there is none."""
    first = (
        select(api_batch.c.id)
        .join(batch, batch.c.id == api_batch.c.id)
        .where(_is_finished(), api_batch.c.lease_until < now_ms())
        .order_by(batch.c.finished_at)
        .limit(1)
        .with_for_update(skip_locked=True, of=api_batch)
    )
    taken = update(api_batch).where(api_batch.c.id == first.scalar_subquery())
    values = {"lease_until": now_ms() + int(lease_s * 1000), "fence": api_batch.c.fence + 1}
    batch_id = connection.execute(taken.values(**values).returning(api_batch.c.id)).scalar_one_or_none()
    return None if batch_id is None else by_id(connection, batch_id)


def some_finished(connection: Connection) -> bool:
    """Return whether a batch has ended whose files nobody measures."""
    query = select(api_batch.c.id).join(batch, batch.c.id == api_batch.c.id)
    return (
        connection.execute(query.where(_is_finished(), api_batch.c.lease_until < now_ms()).limit(1)).first()
        is not None
    )


def _is_finished() -> Any:
    return (api_batch.c.state == RUNNING) & batch.c.status.in_(batches.FINISHED)


def set_measured(connection: Connection, batch_id: str, fence: int, measured: Mapping[str, Any]) -> bool:
    """End a batch whose files are measured; False if another process has done so, or it runs again."""
    mine = _claimed(batch_id, fence)
    ended = {"state": ENDED, "ended_at": now_ms(), "measured": dict(measured)}
    return connection.execute(update(api_batch).where(mine).values(**ended)).rowcount == 1


def release(connection: Connection, batch_id: str, fence: int) -> None:
    """Let another process measure the files of a batch."""
    connection.execute(update(api_batch).where(_claimed(batch_id, fence)).values(lease_until=0))


def _claimed(batch_id: str, fence: int) -> Any:
    return (api_batch.c.id == batch_id) & (api_batch.c.fence == fence) & (api_batch.c.state == RUNNING)


def usage(connection: Connection, batch_no: int) -> dict[str, int]:
    """Return the tokens of the answered calls of a batch; it reads its whole ledger."""
    kinds = {name: attempt.c.usage[name].as_integer() for name in ("cached_input", "reasoning")}
    columns = {
        "input": attempt.c.prompt_tokens,
        "output": attempt.c.completion_tokens,
        "cached_audio_input": attempt.c.usage["cached_audio_input"].as_integer(),
        **kinds,
    }
    sums = [func.coalesce(func.sum(column), 0).label(name) for name, column in columns.items()]
    query = select(*sums).where(attempt.c.batch_no == batch_no, attempt.c.state == "succeeded")
    row = connection.execute(query).mappings().one()
    return {name: int(row[name]) for name in columns}


def _query() -> Select[Any]:
    run = [batch.c[name].label(f"run_{name}") for name in _OF_BATCH]
    return select(api_batch, *run).select_from(api_batch.outerjoin(batch, batch.c.id == api_batch.c.id))
