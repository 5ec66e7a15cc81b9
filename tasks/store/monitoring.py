"""What `/metrics` reads of the store: sums of counters and short indexes, never a row for each request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, Float, case, cast, func, select

from tasks.store import batches
from tasks.store.engine import now_ms
from tasks.store.tables import batch, chunk, outbox
from tasks.store.unlocked.tables import COUNTERS as IN_DELTAS
from tasks.store.unlocked.tables import batch_delta, purse

#: the counters of batches that are summed
_SUMMED = (
    "total", "invalid", "duplicates", "reused", "saved", "embedded", "cache_hits", "routed", "fallbacks",
    "succeeded", "failed", "cancelled", "budget_stops", "invalid_answers", "repaired", "asked_again",
)  # fmt: skip
#: the state of batches that are paused, whatever their status
_PAUSED = "paused"
#: those of money, which a batch that pays for others counts for them, too
_MONEY = ("spent", "reserved")


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over all batches; money is in micro-dollars.

    Attributes:
        batches: The number of batches by state; those that are paused count as `paused`.
        counters: The sums of the batches' counters, by name.
        open: The requests without an outcome of unfinished batches that are not paused.
        paused: Those of batches that are paused.
        budget_used: The largest share that is spent of an unfinished batch's budget.
    """

    batches: Mapping[str, int]
    counters: Mapping[str, int]
    open: int
    paused: int
    budget_used: float


def totals(connection: Connection) -> Totals:
    """Return the sums over all batches; it reads a row for each batch and each delta that is not folded."""
    is_open = batch.c.status.not_in(batches.FINISHED)
    state = case((batch.c.paused_at.is_not(None) & is_open, _PAUSED), else_=batch.c.status)
    ended = batch.c.succeeded + batch.c.failed + batch.c.cancelled
    used = cast(batch.c.spent, Float) / func.nullif(batch.c.budget, 0)
    own = batch.c.payer_no.is_(None)
    query = select(
        state.label("state"),
        func.count().label("batches"),
        func.sum(case((is_open, batch.c.total - ended), else_=0)).label("open"),
        func.max(case((is_open, used))).label("used"),
        *(func.sum(batch.c[name]).label(name) for name in _SUMMED),
        *(func.sum(case((own, batch.c[name]), else_=0)).label(name) for name in _MONEY),
    ).group_by(state)
    rows = connection.execute(query).mappings().all()
    added = _deltas(connection)
    names = (*_SUMMED, *_MONEY)
    counters = {name: sum(int(row[name] or 0) for row in rows) + added.get(name, 0) for name in names}
    counters["reserved"] -= _in_purses(connection)
    newly_ended = sum(added[name] for name in ("succeeded", "failed", "cancelled"))
    return Totals(
        {row["state"]: row["batches"] for row in rows},
        counters,
        max(sum(int(row["open"] or 0) for row in rows if row["state"] != _PAUSED) - newly_ended, 0),
        sum(int(row["open"] or 0) for row in rows if row["state"] == _PAUSED),
        max((float(row["used"] or 0) for row in rows), default=0.0),
    )


def _deltas(connection: Connection) -> dict[str, int]:
    own = batch.c.payer_no.is_(None)
    sums = [
        func.coalesce(func.sum(case((own, batch_delta.c[name]), else_=0) if name in _MONEY
                               else batch_delta.c[name]), 0).label(name)
        for name in IN_DELTAS
    ]  # fmt: skip
    query = select(*sums).select_from(batch_delta).join(batch, batch.c.no == batch_delta.c.batch_no)
    return {name: int(value) for name, value in connection.execute(query).mappings().one().items()}


def _in_purses(connection: Connection) -> int:
    """Return the money that batches count as reserved, but no call has."""
    amount = func.coalesce(func.sum(purse.c.amount), 0)
    return int(connection.execute(select(amount)).scalar_one())


@dataclass(frozen=True, slots=True)
class OutboxLag:
    """The messages that are due and not published yet, and how long the first of them waits."""

    messages: int
    oldest_s: float


def outbox_lag(connection: Connection) -> OutboxLag:
    """Return how far the relay is behind."""
    due = outbox.c.available_at <= now_ms()
    messages = connection.execute(select(func.count()).select_from(outbox).where(due)).scalar_one()
    # A message that was postponed is due later than its chunk was opened.
    since = case((outbox.c.available_at > 0, outbox.c.available_at), else_=chunk.c.opened_at)
    query = (
        select(now_ms() - since)
        .select_from(outbox)
        .join(chunk, chunk.c.id == outbox.c.chunk_id)
        .where(due, since > 0)
        .order_by(outbox.c.id)
        .limit(1)
    )
    age_ms = connection.execute(query).scalar_one_or_none()
    return OutboxLag(messages, max(age_ms or 0, 0) / 1000)
