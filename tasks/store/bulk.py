"""Bulk inserts without SQLAlchemy's processing of each value, which took half of an ingestion's CPU time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.schema import ScalarElementColumnDefault


def insert_rows(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows that all have the same keys, in one prepared statement; other columns get their defaults.

    Values go to the driver unchanged: text, numbers, bytes or None.
    """
    if rows:
        names = tuple(rows[0])
        insert_values(connection, table, names, list(map(itemgetter(*names), rows)))


def insert_values(
    connection: Connection,
    table: Table,
    names: tuple[str, ...],
    values: Sequence[tuple[Any, ...]],
    *,
    ignoring: bool = False,
) -> None:
    """Insert tuples of the columns `names`, as `insert_rows` does.

    With `ignoring`, rows whose key exists already are skipped (ON CONFLICT DO NOTHING).
    """
    if not values:
        return
    defaulted, defaults = _defaults(table, names)
    statement = _statement(table, names + defaulted, connection.dialect, ignoring)
    connection.exec_driver_sql(statement, [row + defaults for row in values] if defaulted else list(values))


@lru_cache(maxsize=64)
def _defaults(table: Table, names: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[Any, ...]]:
    """Return the names and values of the omitted columns whose default is set in Python, not in SQL."""
    omitted = {column.name: column.default for column in table.columns if column.name not in names}
    scalars = {
        name: value.arg for name, value in omitted.items() if isinstance(value, ScalarElementColumnDefault)
    }
    return tuple(scalars), tuple(scalars.values())


@lru_cache(maxsize=64)
def _statement(table: Table, names: tuple[str, ...], dialect: Dialect, ignoring: bool) -> str:
    # Positional placeholders, since both drivers accept tuples as they are.
    placeholders = ", ".join(["?" if dialect.name == "sqlite" else "%s"] * len(names))
    columns = ", ".join(dialect.identifier_preparer.quote(name) for name in names)
    on_conflict = " ON CONFLICT DO NOTHING" if ignoring else ""
    name = dialect.identifier_preparer.format_table(table)
    return f"INSERT INTO {name} ({columns}) VALUES ({placeholders}){on_conflict}"
