"""Bulk inserts without SQLAlchemy's work on each value, which took half of an intake's processor time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.schema import ScalarElementColumnDefault


def insert_rows(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows that all have the keys of the first, in a prepared statement; other columns get defaults.

    Values go to the driver as they are: text, numbers, bytes and None.
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
    """Insert tuples of the columns `names`, as `insert_rows` does; `ignoring` leaves existing rows alone."""
    if not values:
        return
    rest, defaults = _defaults(table, names)
    statement = _statement(table, names + rest, connection.dialect, ignoring)
    connection.exec_driver_sql(statement, [row + defaults for row in values] if rest else list(values))


@lru_cache(maxsize=64)
def _defaults(table: Table, names: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[Any, ...]]:
    """Return the columns that the rows leave out and that the model, not the table, gives a value."""
    left = {column.name: column.default for column in table.columns if column.name not in names}
    scalars = {
        name: value.arg for name, value in left.items() if isinstance(value, ScalarElementColumnDefault)
    }
    return tuple(scalars), tuple(scalars.values())


@lru_cache(maxsize=64)
def _statement(table: Table, names: tuple[str, ...], dialect: Dialect, ignoring: bool) -> str:
    # Positional, whatever the driver prefers: tuples are what both take without further work.
    marks = ", ".join(["?" if dialect.name == "sqlite" else "%s"] * len(names))
    columns = ", ".join(dialect.identifier_preparer.quote(name) for name in names)
    known = " ON CONFLICT DO NOTHING" if ignoring else ""
    name = dialect.identifier_preparer.format_table(table)
    return f"INSERT INTO {name} ({columns}) VALUES ({marks}){known}"
