"""The rows of a batch that move to an archive and back; its counters and its money stay in the store.

A batch is archived in this order: its rows are read, page by page, and written; it is marked as archived, if
it has not changed meanwhile; its rows are deleted, page by page. Each step may be interrupted and repeated:
from the mark on, nothing reads the rows that are still there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, Table, delete, exists, func, insert, select, update

from tasks.errors import UsageError
from tasks.store import batches
from tasks.store.api.tables import api_batch
from tasks.store.deletion import refuse_without_data
from tasks.store.engine import Store, now_ms
from tasks.store.ids import ids_of
from tasks.store.learning.tables import judged_prompt, sampled_answer, sampled_prompt
from tasks.store.routers import roles
from tasks.store.routers.tables import router_role
from tasks.store.tables import attempt, batch, chunk, decision, input_error, outcome, request

#: the tables of an archive, each with its key within a batch
KEYS: Mapping[Table, tuple[str, ...]] = {
    request: ("id",),
    decision: ("request_id",),
    attempt: ("request_id", "number"),
    outcome: ("request_id",),
    input_error: ("line",),
}
#: the bytes of a page, and its most rows
_PAGE_BYTES, _PAGE_ROWS = 4 << 20, 5_000
#: the requests, by line, that are deleted in a transaction
_DELETED_LINES = 5_000
#: what changes with everything that is done to a batch that has ended
_UNCHANGED = ("status", "finished_at", "spent", "succeeded", "failed", "cancelled", "data_deleted_at")


def find(connection: Connection, batch_id: str) -> RowMapping:
    """Return a batch that may be archived.

    Raises:
        UsageError: It has not ended, is archived already, or others need its rows.
    """
    row = batches.find(connection, batch_id)
    if row["status"] not in batches.FINISHED:
        raise UsageError(f"{batch_id} is {row['status']}: wait for it or cancel it first")
    refuse_without_data(row)
    _refuse_needed(connection, row)
    return row


def _refuse_needed(connection: Connection, row: RowMapping) -> None:
    number, ids = row["no"], ids_of(row["no"])
    needs = {
        "its answers and decisions train routers": (
            exists().where(sampled_prompt.c.batch_no == number)
            | exists().where(sampled_answer.c.request_id.between(*ids))
            | exists().where(judged_prompt.c.batch_no == number)
        ),
        "a batch that it pays for is not archived with it": exists().where(batch.c.payer_no == number),
        "its output files are read from the store": exists().where(api_batch.c.id == row["id"]),
        "the canary that runs is measured by its requests": (
            exists().where(decision.c.batch_no == number, decision.c.arm.is_not(None))
            & exists().where(router_role.c.role == roles.CANARY)
        ),
    }
    for why, need in needs.items():
        if connection.execute(select(need)).scalar():
            raise UsageError(f"{row['id']} cannot be archived: {why}")


def pages(store: Store, table: Table, batch_no: int) -> Iterator[Sequence[RowMapping]]:
    """Yield the rows of a batch in the order of their key, some megabytes at a time."""
    keys, after, size = [table.c[name] for name in KEYS[table]], None, 64
    while True:
        query = select(table).where(_of_batch(table, batch_no)).order_by(*keys).limit(size)
        if after is not None:
            query = query.where(_beyond(keys, after))
        with store.read() as connection:
            rows = connection.execute(query).mappings().all()
        if not rows:
            return
        yield rows
        after = [rows[-1][key.name] for key in keys]
        size = _next_size(len(rows), sum(map(_bytes_of, rows)))


def _next_size(rows: int, size: int) -> int:
    return max(1, min(2 * rows, _PAGE_ROWS, rows * _PAGE_BYTES // max(size, 1)))


def _bytes_of(row: RowMapping) -> int:
    return 100 + sum(len(value) for value in row.values() if isinstance(value, str))


def _of_batch(table: Table, batch_no: int) -> Any:
    """Return the condition on a table's key: the rows of this batch."""
    if table is input_error:
        return table.c.batch_no == batch_no
    return table.c[KEYS[table][0]].between(*ids_of(batch_no))


def _beyond(keys: Sequence[Any], after: Sequence[Any]) -> Any:
    if len(keys) == 1:
        return keys[0] > after[0]
    first, second = keys  # in this form the index is used
    return (first >= after[0]) & ((first > after[0]) | (second > after[1]))


def mark(connection: Connection, read: RowMapping, archive_hash: str) -> None:
    """Mark a batch as archived.

    Args:
        connection: A write transaction.
        read: The batch as it was before its rows were read.
        archive_hash: The hash of the archive.

    Raises:
        UsageError: It has changed since, or others need its rows by now.
    """
    row = batches.lock(connection, read["no"])
    if any(row[name] != read[name] for name in _UNCHANGED) or row["archived_at"] is not None:
        raise UsageError(f"{read['id']} changed while it was archived: try again")
    _refuse_needed(connection, row)
    values = {"archived_at": now_ms(), "archive_hash": archive_hash}
    connection.execute(update(batch).where(batch.c.no == row["no"]).values(values))


def delete_rows(store: Store, batch_no: int) -> None:
    """Delete the rows of an archived batch; it may be interrupted and repeated."""
    first, last = ids_of(batch_no)
    newest = select(func.max(request.c.id)).where(_of_batch(request, batch_no))
    with store.read() as connection:
        highest = connection.execute(newest).scalar()
    # Requests go last: while one is there, a repetition finds what is left of it.
    for low in range(first, (highest or first) + 1, _DELETED_LINES):
        ids = (low, min(low + _DELETED_LINES - 1, last))
        with store.write() as connection:
            _check_archived(connection, batch_no)
            for table in (decision, attempt, outcome, request):
                connection.execute(delete(table).where(table.c[KEYS[table][0]].between(*ids)))
    with store.write() as connection:
        _check_archived(connection, batch_no)
        for table in (input_error, chunk):
            connection.execute(delete(table).where(table.c.batch_no == batch_no))


def _check_archived(connection: Connection, batch_no: int) -> None:
    if batches.lock(connection, batch_no)["archived_at"] is None:
        raise UsageError("the batch is being restored")


def insert_rows(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Put rows of an archived batch back."""
    connection.execute(insert(table), [dict(row) for row in rows])


def find_archived(connection: Connection, batch_id: str, archive_hash: str) -> RowMapping:
    """Return the archived batch that an archive is of.

    Raises:
        UsageError: There is none, or the archive is not the one that was written for it.
    """
    row = batches.find(connection, batch_id)
    if row["archived_at"] is None:
        raise UsageError(f"{batch_id} is not archived")
    if row["data_deleted_at"] is not None:
        raise UsageError(f"the prompts and answers of {batch_id} were deleted: they do not come back")
    if row["archive_hash"] != archive_hash:
        raise UsageError(f"the archive is not the one that {batch_id} was moved to")
    return row


def unmark(connection: Connection, batch_no: int) -> None:
    """Note that the rows of a batch are back."""
    batches.lock(connection, batch_no)
    values = {"archived_at": None, "archive_hash": None}
    connection.execute(update(batch).where(batch.c.no == batch_no).values(values))
