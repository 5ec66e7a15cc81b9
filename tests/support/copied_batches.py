"""Copies of a finished batch by SQL, for a store that holds very many requests (PostgreSQL)."""

from __future__ import annotations

from sqlalchemy import Connection, Insert, Table, bindparam, insert, select

from tasks.store import batches, tables
from tasks.store.engine import Store

#: what a finished batch keeps, with the column that names its request
_KEPT = {tables.request: "id", tables.attempt: "request_id", tables.outcome: "request_id"}


def copy_batch(store: Store, batch_id: str, copies: int) -> None:
    """Store a finished batch so many times more, each as a batch of its own."""
    with store.read() as connection:
        original = dict(batches.find(connection, batch_id))
    for number in range(copies):
        with store.write() as connection:
            _copy(connection, original, f"{batch_id}-{number}")


def _copy(connection: Connection, original: dict[str, object], new_id: str) -> None:
    values = {name: value for name, value in original.items() if name != "no"} | {"id": new_id}
    new_no = connection.execute(insert(tables.batch).values(values).returning(tables.batch.c.no)).scalar_one()
    for table, key in _KEPT.items():
        connection.execute(_copied_rows(table, key), {"old": original["no"], "new": new_no})


def _copied_rows(table: Table, key: str) -> Insert:
    """INSERT … SELECT of the rows of a batch; a request's key is `batch_no << 32 | line`."""
    columns = [column.name for column in table.columns]
    new = bindparam("new", type_=tables.request.c.id.type)
    chosen = {name: table.c[name] for name in columns}
    chosen["batch_no"] = new.label("batch_no")
    chosen[key] = (table.c[key] + (new - table.c.batch_no) * (1 << 32)).label(key)
    return insert(table).from_select(
        columns, select(*chosen.values()).where(table.c.batch_no == bindparam("old"))
    )
