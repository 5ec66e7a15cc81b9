"""The end of batches in the store: cancelled, expired, or with all requests ended and files measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, RowMapping, func, or_, select, update

from tasks.store import batches
from tasks.store.api import webhooks
from tasks.store.api.batches import CANCELLED, ENDED, RUNNING, VALIDATING, by_id, with_run
from tasks.store.api.files import is_small
from tasks.store.api.tables import api_batch, api_file
from tasks.store.engine import now_ms
from tasks.store.tables import attempt, batch, outcome


def end_unstored(connection: Connection, batch_id: str, *, expired: bool) -> bool:
    """End a batch of which no request is stored yet, expired or cancelled; False if some are by now."""
    unstored = (api_batch.c.state == VALIDATING) & api_batch.c.in_progress_at.is_(None)
    values = (
        {"state": ENDED, "expired_at": now_ms()}
        if expired
        else {"state": CANCELLED, "cancelling_at": now_ms()}
    )
    mine = update(api_batch).where(api_batch.c.id == batch_id, unstored)
    if not connection.execute(mine.values(ended_at=now_ms(), **values)).rowcount:
        return False
    webhooks.announce(connection, batch_id, "batch.expired" if expired else "batch.cancelled")
    return True


def set_cancelling(connection: Connection, batch_id: str) -> bool:
    """Note when a batch was cancelled; False if it was before."""
    first = api_batch.c.cancelling_at.is_(None) & (api_batch.c.id == batch_id)
    cancelling = update(api_batch).where(first).values(cancelling_at=now_ms())
    return connection.execute(cancelling).rowcount == 1


def overdue(connection: Connection, limit: int) -> list[RowMapping]:
    """Return batches whose time is over and that have not ended."""
    query = with_run().where(
        api_batch.c.state.in_((VALIDATING, RUNNING)),
        api_batch.c.expires_at < now_ms(),
        api_batch.c.expired_at.is_(None),
        or_(batch.c.status.is_(None), batch.c.status.in_(batches.OPEN)),
    )
    return list(connection.execute(query.order_by(api_batch.c.expires_at).limit(limit)).mappings())


def set_expired(connection: Connection, batch_id: str) -> None:
    """Note that the time of a batch was over before its requests had ended."""
    connection.execute(update(api_batch).where(api_batch.c.id == batch_id).values(expired_at=now_ms()))


def claim_finished(
    connection: Connection, *, lease_s: float, max_bytes: int | None = None
) -> RowMapping | None:
    """Take a batch whose requests have ended and whose files nobody measures yet; None if there is none.

    Args:
        connection: The connection.
        lease_s: How long it is this process's.
        max_bytes: Only batches whose input file is at most this large.
    """
    first = (
        select(api_batch.c.id)
        .join(batch, batch.c.id == api_batch.c.id)
        .outerjoin(api_file, api_file.c.id == api_batch.c.input_file_id)
        .where(_is_finished(), api_batch.c.lease_until < now_ms())
        .where(is_small(max_bytes))
        .order_by(batch.c.finished_at)
        .limit(1)
        .with_for_update(skip_locked=True, of=api_batch)
    )
    taken = update(api_batch).where(api_batch.c.id == first.scalar_subquery())
    values = {"lease_until": now_ms() + int(lease_s * 1000), "fence": api_batch.c.fence + 1}
    batch_id = connection.execute(taken.values(**values).returning(api_batch.c.id)).scalar_one_or_none()
    return None if batch_id is None else by_id(connection, batch_id)


def renew(connection: Connection, batch_id: str, fence: int, *, lease_s: float) -> None:
    """Prolong the lease on a batch that is measured, unless another process has taken it."""
    mine = update(api_batch).where(_claimed(batch_id, fence))
    connection.execute(mine.values(lease_until=now_ms() + int(lease_s * 1000)))


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
    if not connection.execute(update(api_batch).where(mine).values(**ended)).rowcount:
        return False
    webhooks.announce(connection, batch_id, _event_of(by_id(connection, batch_id)))
    return True


def _event_of(row: RowMapping) -> str:
    if row["errors"]:
        return "batch.failed"
    if row["expired_at"] is not None:
        return "batch.expired"
    return "batch.cancelled" if row["run_status"] == "cancelled" else "batch.completed"


def release(connection: Connection, batch_id: str, fence: int) -> None:
    """Let another process measure the files of a batch."""
    connection.execute(update(api_batch).where(_claimed(batch_id, fence)).values(lease_until=0))


def _claimed(batch_id: str, fence: int) -> Any:
    return (api_batch.c.id == batch_id) & (api_batch.c.fence == fence) & (api_batch.c.state == RUNNING)


def without_outputs(connection: Connection, limit: int) -> list[str]:
    """Return ended batches that had files, of which none is there any more, and whose texts still are."""
    there = (api_file.c.deleted_at.is_(None)) & (
        api_file.c.expires_at.is_(None) | (api_file.c.expires_at > now_ms())
    )
    had = select(api_file.c.id).where(api_file.c.batch_id == api_batch.c.id)
    query = (
        select(api_batch.c.id)
        .join(batch, batch.c.id == api_batch.c.id)
        .where(api_batch.c.state == ENDED, batch.c.data_deleted_at.is_(None))
        .where(had.exists(), ~had.where(there).exists())
    )
    return list(connection.execute(query.limit(limit)).scalars())


def only_model(connection: Connection, batch_no: int) -> str | None:
    """Return the model that has answered all of a batch; None for several, or none."""
    first, last = func.min(outcome.c.model), func.max(outcome.c.model)
    query = select(first, last).where(outcome.c.batch_no == batch_no, outcome.c.status == "succeeded")
    one, other = connection.execute(query).one()
    return one if one == other else None


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
