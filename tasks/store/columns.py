"""The kinds of columns that the tables share."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, Integer
from sqlmodel import Field


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
