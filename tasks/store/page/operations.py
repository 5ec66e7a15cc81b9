"""What each key spends by the day, as operators see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select

from tasks.store.api.tables import api_key
from tasks.store.engine import now_ms
from tasks.store.page.batch_list import COMMAND
from tasks.store.tables import batch

_DAY_MS = 86_400_000
#: how many days of spending are shown
DAYS = 7


@dataclass(frozen=True, slots=True)
class KeySpending:
    """What the batches of a key have cost by the day (UTC) of their creation, the newest day first."""

    name: str
    by_day: tuple[int, ...]
    budget_day: int | None
    budget_month: int | None

    @property
    def total(self) -> int:
        """What they have cost together."""
        return sum(self.by_day)


def today(connection: Connection) -> int:
    """Return the number of the day (UTC) since 1970."""
    return int(connection.execute(select(now_ms())).scalar_one()) // _DAY_MS


def spending(connection: Connection) -> list[KeySpending]:
    """Return what each key's batches of the last days have cost, the dearest first."""
    last = today(connection)
    day = (batch.c.created_at - batch.c.created_at % _DAY_MS) / _DAY_MS
    query = (
        select(batch.c.owner, day.label("day"), func.sum(batch.c.spent).label("spent"))
        .where(batch.c.created_at >= (last - DAYS + 1) * _DAY_MS)
        # What a batch pays for another is counted with both.
        .where(batch.c.payer_no.is_(None))
        .group_by(batch.c.owner, "day")  # by its name: PostgreSQL takes no two equal parameters for one
    )
    spent: dict[str | None, dict[int, int]] = {}
    for row in connection.execute(query):
        spent.setdefault(row.owner, {})[int(row.day)] = int(row.spent)
    keys = {row["id"]: row for row in connection.execute(select(api_key)).mappings()}
    found = [_of_key(keys.get(owner or ""), owner, by_day, last) for owner, by_day in spent.items()]
    return sorted(found, key=lambda one: (-one.total, one.name))


def _of_key(
    key: Mapping[Any, Any] | None, owner: str | None, by_day: Mapping[int, int], last: int
) -> KeySpending:
    amounts = tuple(by_day.get(last - back, 0) for back in range(DAYS))
    if key is None:
        return KeySpending(owner or COMMAND, amounts, None, None)
    return KeySpending(key["name"], amounts, key["budget_day"], key["budget_month"])
