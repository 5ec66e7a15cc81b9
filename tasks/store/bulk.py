"""Bulk statements without SQLAlchemy's work on each value, which took half of an ingestion's CPU time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, Table
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.schema import ScalarElementColumnDefault

T = TypeVar("T")

#: ids per IN list: below SQLite's limit on bound variables
MAX_IDS = 10_000


def batched_ids(ids: Sequence[T], size: int | None = None) -> Iterator[Sequence[T]]:
    """Cut a long list of ids into pieces that fit one statement, or of at most `size`."""
    step = size or MAX_IDS
    for start in range(0, len(ids), step):
        yield ids[start : start + step]


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


def rows_with(
    connection: Connection,
    table: Table,
    names: tuple[str, ...],
    key: str,
    values: Sequence[Any],
    where: Mapping[str, Any],
) -> list[Row[Any]]:
    """Return the columns `names` of the rows whose `key` is one of the values.

    Args:
        where: What other columns hold; None stands for NULL.
    """
    equal = {name: value for name, value in where.items() if value is not None}
    nulls = tuple(name for name in where if name not in equal)
    found: list[Row[Any]] = []
    for part in batched_ids(values):
        statement = _query(table, names, tuple(equal), nulls, key, len(part), connection.dialect)
        found += connection.exec_driver_sql(statement, (*equal.values(), *part))
    return found


@lru_cache(maxsize=64)
def _query(
    table: Table,
    names: tuple[str, ...],
    equal: tuple[str, ...],
    nulls: tuple[str, ...],
    key: str,
    number: int,
    dialect: Dialect,
) -> str:
    quote, mark = dialect.identifier_preparer.quote, _mark(dialect)
    conditions = [f"{quote(name)} = {mark}" for name in equal] + [f"{quote(name)} IS NULL" for name in nulls]
    conditions.append(f"{quote(key)} IN ({', '.join([mark] * number)})")
    columns = ", ".join(map(quote, names))
    name = dialect.identifier_preparer.format_table(table)
    return f"SELECT {columns} FROM {name} WHERE {' AND '.join(conditions)}"


def _mark(dialect: Dialect) -> str:
    # Positional placeholders, since both drivers accept tuples as they are.
    return "?" if dialect.name == "sqlite" else "%s"


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
    placeholders = ", ".join([_mark(dialect)] * len(names))
    columns = ", ".join(dialect.identifier_preparer.quote(name) for name in names)
    on_conflict = " ON CONFLICT DO NOTHING" if ignoring else ""
    name = dialect.identifier_preparer.format_table(table)
    return f"INSERT INTO {name} ({columns}) VALUES ({placeholders}){on_conflict}"
