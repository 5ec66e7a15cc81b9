"""The counters of each process, such as calls by model: a row for each, so that none waits for another's.

A process adds what it counted since its last write. When it has ended, its row goes into that of its role, so
that the sums neither fall nor grow with the number of processes that there were.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, delete, select, update
from sqlmodel import Field, SQLModel

from tasks.store.columns import counter_column, json_column, table_of
from tasks.store.engine import Store, now_ms
from tasks.store.outcomes import insert_ignoring

#: a process that has not written for so long has ended
GONE_S = 600.0
#: what stands before the role in the name of the row of its ended processes
_ENDED = "ended:"


class ProcessCountersRow(SQLModel, table=True):
    """The counters of a process, or of the ended ones of a role."""

    __tablename__ = "process_counters"

    process: str = Field(primary_key=True)
    role: str
    written_at: int = counter_column()
    #: by name, see `tasks.monitoring.counters`
    counters: dict[str, Any] | None = json_column()


process_counters = table_of("process_counters")


def add(store: Store, process: str, role: str, counted: Mapping[str, float]) -> None:
    """Add what a process counted."""
    with store.write() as connection:
        _add(connection, process, role, counted)


def sums(connection: Connection) -> dict[str, float]:
    """Return the sums of all counters."""
    rows = connection.execute(select(process_counters.c.counters)).scalars()
    return _sum(row or {} for row in rows)


def fold(store: Store, *, after_s: float = GONE_S) -> int:
    """Add the rows of processes that have ended to those of their roles; returns how many there were."""
    before = now_ms() - int(after_s * 1000)
    is_gone = (process_counters.c.written_at < before) & process_counters.c.process.not_like(f"{_ENDED}%")
    with store.read() as connection:
        if connection.execute(select(process_counters.c.process).where(is_gone).limit(1)).first() is None:
            return 0
    with store.write() as connection:
        gone = delete(process_counters).where(is_gone).returning(process_counters)
        rows = connection.execute(gone).mappings().all()
        for role in sorted({row["role"] for row in rows}):
            counted = _sum(row["counters"] or {} for row in rows if row["role"] == role)
            _add(connection, f"{_ENDED}{role}", role, counted)
    return len(rows)


def _add(connection: Connection, process: str, role: str, counted: Mapping[str, float]) -> None:
    mine = process_counters.c.process == process
    fresh = insert_ignoring(connection, process_counters)
    connection.execute(fresh.values(process=process, role=role, counters={}))
    query = select(process_counters.c.counters).where(mine).with_for_update()
    known = connection.execute(query).scalar_one() or {}
    values = {"counters": _sum((known, counted)), "written_at": now_ms()}
    connection.execute(update(process_counters).where(mine).values(**values))


def _sum(parts: Iterable[Mapping[str, float]]) -> dict[str, float]:
    total: dict[str, float] = {}
    for part in parts:
        for name, value in part.items():
            if not isinstance(value, int | float):  # a newer Waybill counts it otherwise
                continue
            total[name] = total.get(name, 0) + value
    return total
