"""What each key's calls of a month have cost, from the ledger.

A batch that began and ended in the month is summed from its counters, which the ledger adds up to. Of another
one, and of those of the learning loop that pay for each other, the calls of the month are read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, func, or_, select

from tasks.errors import UsageError
from tasks.store import summary
from tasks.store.api.tables import api_key
from tasks.store.bulk import batched_ids
from tasks.store.engine import now_ms
from tasks.store.health import model_errors
from tasks.store.tables import attempt, batch


@dataclass(frozen=True, slots=True)
class Spending:
    """What the calls of a key's batches have cost in a month.

    Attributes:
        key_id: The key; None for batches of the command and of the Python API, which have none.
        name: Its name.
        batches: How many batches made the calls.
        calls: How many calls were made.
        spent: Micro-dollars.
        budget_month: The key's budget of a month in micro-dollars; None for no limit.
    """

    key_id: str | None
    name: str | None
    batches: int
    calls: int
    spent: int
    budget_month: int | None


@dataclass(frozen=True, slots=True)
class Month:
    """A month (UTC), by the ms since 1970 at which it begins and ends."""

    name: str
    begin: int
    end: int

    @classmethod
    def of(cls, name: str) -> Month:
        """Return the month of a text such as `2026-11`; raises UsageError for another."""
        try:
            first = datetime.strptime(name, "%Y-%m").replace(tzinfo=UTC)
            after = (first + timedelta(days=31)).replace(day=1)
        except (ValueError, OverflowError):
            raise UsageError(f"{name!r} is no month: write it as 2026-11") from None
        return cls(f"{first:%Y-%m}", round(first.timestamp() * 1000), round(after.timestamp() * 1000))


def this_month(connection: Connection) -> Month:
    """Return the month of the store's clock."""
    now = connection.execute(select(now_ms())).scalar_one()
    return Month.of(f"{datetime.fromtimestamp(now / 1000, UTC):%Y-%m}")


def by_key(connection: Connection, month: Month) -> list[Spending]:
    """Return what each key has spent in a month, the dearest first; keys without a call are left out."""
    rows = connection.execute(_candidates(month)).all()
    unmade = model_errors.calls_not_made(connection, [row.no for row in rows])
    whole = {row.no: (row.calls - unmade.get(row.no, 0), row.spent) for row in rows if _is_whole(row, month)}
    parts = dict(_of_calls(connection, month, [row.no for row in rows if row.no not in whole]))
    sums: dict[str | None, list[int]] = {}
    for row in rows:
        calls, spent = whole.get(row.no) or parts.get(row.no) or (0, 0)
        if calls:
            total = sums.setdefault(row.owner, [0, 0, 0])
            total[:] = total[0] + 1, total[1] + calls, total[2] + spent
    return sorted(_named(connection, sums), key=lambda one: (-one.spent, one.name or ""))


def _candidates(month: Month) -> Select[Any]:
    """Return the query for the batches that may have made calls in the month."""
    paid_for = select(batch.c.payer_no).where(batch.c.payer_no.is_not(None))
    shares = (batch.c.payer_no.is_not(None) | batch.c.no.in_(paid_for)).label("shares")
    columns = (batch.c.no, batch.c.owner, batch.c.calls, batch.c.spent, batch.c.created_at)
    open_then = or_(batch.c.finished_at.is_(None), batch.c.finished_at >= month.begin)
    query = select(*columns, batch.c.finished_at, batch.c.archived_at, shares)
    return query.where(batch.c.created_at < month.end, open_then | shares)


def _is_whole(row: Row[Any], month: Month) -> bool:
    """Return whether its counters are those of the month; the calls of an archived batch are gone."""
    begins = row.created_at >= month.begin
    ends = row.finished_at is not None and row.finished_at < month.end
    return begins and (row.archived_at is not None or (ends and not row.shares))


def _of_calls(
    connection: Connection, month: Month, batch_nos: Iterable[int]
) -> Iterator[tuple[int, tuple[int, int]]]:
    """Yield the calls of batches in the month, and what they have cost."""
    for part in batched_ids(list(batch_nos)):
        calls = func.count().filter(summary.was_made())
        query = select(attempt.c.batch_no, calls, func.sum(attempt.c.cost)).where(
            attempt.c.batch_no.in_(part), attempt.c.sent_at >= month.begin, attempt.c.sent_at < month.end
        )
        for number, calls, spent in connection.execute(query.group_by(attempt.c.batch_no)):
            yield number, (calls, int(spent))


def _named(connection: Connection, sums: Mapping[str | None, list[int]]) -> Iterator[Spending]:
    columns = select(api_key.c.id, api_key.c.name, api_key.c.budget_month)
    keys = {row.id: row for row in connection.execute(columns)}
    for owner, (batches, calls, spent) in sums.items():
        key = keys.get(owner or "")
        budget = key.budget_month if key else None
        yield Spending(owner, key.name if key else owner, batches, calls, spent, budget)
