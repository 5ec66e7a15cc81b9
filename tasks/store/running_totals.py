"""Running totals, changed where what they count is written: a total is one row, however many batches."""

from __future__ import annotations

from sqlalchemy import Connection, select, update
from sqlmodel import Field, SQLModel

from tasks.store.columns import counter_column, table_of
from tasks.store.outcomes import insert_ignoring

#: micro-dollars that routing has saved against the best single model, where it is counted
ROUTING_SAVED = "routing_saved"


class RunningTotalRow(SQLModel, table=True):
    """A total over all batches, by name."""

    __tablename__ = "running_total"

    name: str = Field(primary_key=True)
    value: int = counter_column()


running_total = table_of("running_total")


def add(connection: Connection, name: str, change: int) -> None:
    """Change a total."""
    if not change:
        return
    connection.execute(insert_ignoring(connection, running_total).values(name=name))
    mine = running_total.c.name == name
    connection.execute(update(running_total).where(mine).values(value=running_total.c.value + change))


def read(connection: Connection, name: str) -> int:
    """Return a total."""
    query = select(running_total.c.value).where(running_total.c.name == name)
    return int(connection.execute(query).scalar_one_or_none() or 0)
