"""The validation of batches in the store: who does it, and how it ends.

Its functions return False where the batch is another process's by now, or no longer validated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, func, select, update

from tasks.store.api import audit, webhooks
from tasks.store.api.batches import FAILED, RUNNING, VALIDATING
from tasks.store.api.files import is_small
from tasks.store.api.tables import api_batch, api_file
from tasks.store.engine import now_ms
from tasks.store.tables import batch
from tasks.store.unlocked import deltas


def claim(connection: Connection, *, lease_s: float, max_bytes: int | None = None) -> RowMapping | None:
    """Take a batch that nobody validates: the oldest of the key that has fewest in work; None without any.

    Args:
        lease_s: How long it is this process's, unless `renew` prolongs it.
        max_bytes: Only batches whose input file is at most this large.
    """
    held = _held_by_owner().subquery()
    first = (
        select(api_batch.c.id)
        .outerjoin(api_file, api_file.c.id == api_batch.c.input_file_id)
        .outerjoin(held, held.c.owner == api_batch.c.owner)
        .where(api_batch.c.state == VALIDATING, api_batch.c.lease_until < now_ms())
        .where(is_small(max_bytes))
        .order_by(func.coalesce(held.c.number, 0), api_batch.c.created_at, api_batch.c.id)
        .limit(1)
        .with_for_update(skip_locked=True, of=api_batch)
    )
    taken = update(api_batch).where(api_batch.c.id == first.scalar_subquery())
    values = {"lease_until": now_ms() + int(lease_s * 1000), "fence": api_batch.c.fence + 1}
    return connection.execute(taken.values(**values).returning(api_batch)).mappings().one_or_none()


def _held_by_owner() -> Select[Any]:
    """Return the query of how many batches of each key are being validated."""
    taken = (api_batch.c.state == VALIDATING) & (api_batch.c.lease_until >= now_ms())
    return select(api_batch.c.owner, func.count().label("number")).where(taken).group_by(api_batch.c.owner)


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


def lower_budget(connection: Connection, batch_id: str, micros: int) -> None:
    """Lower the budget of a batch to what it can cost, so that its key may spend the rest."""
    batch_no = connection.execute(select(batch.c.no).where(batch.c.id == batch_id)).scalar_one_or_none()
    if batch_no is None:
        return
    row = deltas.exact(connection, batch_no)
    least = max(micros, row["spent"] + row["reserved"])
    if row["budget"] is not None and least < row["budget"]:
        by = {"owner": row["owner"], "actor": audit.WAYBILL}
        audit.note(connection, "batch.budget", batch_id, **by, budget=least)
        connection.execute(update(batch).where(batch.c.no == batch_no).values(budget=least))
        connection.execute(update(api_batch).where(api_batch.c.id == batch_id).values(budget=least))


def fail(connection: Connection, batch_id: str, fence: int, errors: Sequence[Mapping[str, Any]]) -> bool:
    """End a batch that is not valid; False as for `renew`."""
    ended = {"state": FAILED, "errors": list(errors), "ended_at": now_ms()}
    if not connection.execute(_held(batch_id, fence).values(**ended)).rowcount:
        return False
    webhooks.announce(connection, batch_id, "batch.failed")
    return True


def break_off(connection: Connection, batch_id: str, fence: int, errors: Sequence[Mapping[str, Any]]) -> bool:
    """Let a batch with stored requests end as failed, with what was answered; False as for `renew`."""
    broken = {"state": RUNNING, "errors": list(errors), "lease_until": 0}
    return connection.execute(_held(batch_id, fence).values(**broken)).rowcount == 1


def _held(batch_id: str, fence: int) -> Any:
    mine = (api_batch.c.id == batch_id) & (api_batch.c.fence == fence) & (api_batch.c.state == VALIDATING)
    return update(api_batch).where(mine)
