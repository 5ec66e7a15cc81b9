"""The rows that name a batch by its number, in all tables."""

from __future__ import annotations

from sqlalchemy import Connection, Select, delete
from sqlmodel import SQLModel

# All modules of tables, so that none is forgotten.
from tasks.store import tables  # noqa: F401
from tasks.store.api import tables as api_tables  # noqa: F401
from tasks.store.learning import tables as learning_tables  # noqa: F401
from tasks.store.page import tables as page_tables  # noqa: F401
from tasks.store.routers import tables as router_tables  # noqa: F401
from tasks.store.unlocked import tables as unlocked_tables  # noqa: F401

NAMING = tuple(table for table in SQLModel.metadata.sorted_tables if "batch_no" in table.c)


def delete_all(connection: Connection, numbers: Select[tuple[int]]) -> None:
    """Delete whatever names these batches."""
    for table in NAMING:
        connection.execute(delete(table).where(table.c.batch_no.in_(numbers)))
