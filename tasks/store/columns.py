"""The kinds of columns and indexes that the tables share."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, Column, Index, Integer, Table, Text, text
from sqlmodel import Field, SQLModel


def bigint_column(**options: Any) -> Any:
    """Return a BIGINT column, for ids and amounts."""
    return Field(sa_column=Column(BigInteger, **options))


def autoincrement_key() -> Column[int]:
    """Return an auto-incrementing primary key."""
    # SQLite auto-increments only columns declared INTEGER.
    return Column(BigInteger().with_variant(Integer(), "sqlite"), primary_key=True)


def counter_column() -> Any:
    """Return a BIGINT column with default 0, for counts, amounts and times."""
    return Field(default=0, sa_column=Column(BigInteger, nullable=False, server_default="0"))


def text_column(*, nullable: bool = False) -> Any:
    """Return a TEXT column, for texts of any length."""
    return Field(sa_column=Column(Text, nullable=nullable))


def json_column() -> Any:
    """Return a JSON column that may be null."""
    return Field(default=None, sa_column=Column(JSON(none_as_null=True)))


def partial_index(name: str, *columns: str, where: str) -> Index:
    """Return an index of the rows that fulfil a condition, which a query must repeat literally."""
    condition = text(where)
    return Index(name, *columns, sqlite_where=condition, postgresql_where=condition)


def table_of(name: str) -> Table:
    """Return the SQLAlchemy Core table of this name."""
    return SQLModel.metadata.tables[name]
