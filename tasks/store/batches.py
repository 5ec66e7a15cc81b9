"""Batches: creating, finding, locking and finishing them."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    bindparam,
    case,
    func,
    insert,
    select,
    update,
)

from tasks.errors import BatchWithoutRequests, UnknownBatch, UsageError
from tasks.store.api.tables import api_batch
from tasks.store.api.without_requests import why_without_requests
from tasks.store.batch_options import BatchOptions
from tasks.store.engine import now_ms
from tasks.store.tables import batch
from tasks.store.unlocked import purses

ANSWER = "answer"
#: how every id of a batch begins
ID_PREFIX = "batch_"
#: the source of a batch whose prompts were given in Python
PYTHON = "python"
OPEN = ("ingesting", "in_progress")
FINISHED = ("completed", "cancelled")
UNFINISHED = (*OPEN, "cancelling")
_SHOWN_MATCHES = 4
#: What a lock reads: every call takes one, and the options of a hundred models fill tens of kilobytes.
_WITHOUT_OPTIONS = [column for column in batch.c if column is not batch.c.options]
_LOCK = select(*_WITHOUT_OPTIONS).where(batch.c.no == bindparam("batch_no")).with_for_update()


def new_id() -> str:
    """Return the id of a new batch."""
    return f"{ID_PREFIX}{secrets.token_hex(8)}"


def create(
    connection: Connection,
    *,
    source: str,
    options: BatchOptions,
    budget: int | None,
    purpose: str = ANSWER,
    payer_no: int | None = None,
    owner: str | None = None,
    batch_id: str | None = None,
) -> RowMapping:
    """Create a batch whose ingestion is open, and return its row.

    Args:
        connection: An open transaction.
        source: The name of the input, for people.
        options: The options of the batch.
        budget: The cap on the cost in micro-dollars; None for no cap.
        purpose: What the batch is for: answers to its submitter, a collection or a judge run.
        payer_no: The number of the batch whose budget also pays for this one's calls; it has no payer itself.
        owner: Whose batch it is: the id of an API key; None for the command and the Python API.
        batch_id: Its id, if it has one already: that of a batch of the API.
    """
    row = {
        "id": batch_id or new_id(),
        "source": source,
        "purpose": purpose,
        "payer_no": payer_no,
        "owner": owner,
        "status": "ingesting",
        "priority": options.priority,
        "options": asdict(options),
        "budget": budget,
        "created_at": now_ms(),
        "paused_at": now_ms() if options.hold else None,
    }
    return connection.execute(insert(batch).values(**row).returning(batch)).mappings().one()


def find(connection: Connection, batch_id: str | None = None) -> RowMapping:
    """Return the batch with this id or, without an id, the newest batch of purpose `answer`.

    Raises:
        UnknownBatch: There is no such batch.
    """
    wanted = batch.c.purpose == ANSWER if batch_id is None else batch.c.id == batch_id
    query = select(batch).where(wanted).order_by(batch.c.no.desc()).limit(1)
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        if batch_id is None:
            raise UnknownBatch(None)
        raise _unknown(connection, batch_id, api_batch.c.id == batch_id)
    return row


def full_id(connection: Connection, text: str) -> str:
    """Return the id that begins with this text, which may leave out `batch_`, or whose batch is named so.

    Raises:
        UnknownBatch: No id begins so, and no batch is named so.
        UsageError: It means several batches: none is taken for its age.
    """
    wanted = text if text.startswith(ID_PREFIX) else ID_PREFIX + text
    if connection.execute(select(batch.c.no).where(batch.c.id == wanted)).first():
        return wanted
    meant = batch.c.options["name"].as_string() == text
    if begins := bool(text) and not ID_PREFIX.startswith(text):
        meant |= _begins(batch.c.id, wanted)
    query = select(batch.c.id).where(meant).order_by(batch.c.no.desc()).limit(_SHOWN_MATCHES + 1)
    found = list(connection.execute(query).scalars())
    if not found:
        raise _unknown(connection, text, _begins(api_batch.c.id, wanted)) if begins else UnknownBatch(text)
    return only_one(text, found)


def only_one(text: str, found: Sequence[str]) -> str:
    """Return the id that a text means; raises UsageError, which lists the ids, where it means several."""
    if len(found) == 1:
        return found[0]
    more = ", …" if len(found) > _SHOWN_MATCHES else ""
    raise UsageError(f"{text!r} means several batches: {', '.join(found[:_SHOWN_MATCHES])}{more}")


def _begins(column: ColumnElement[str], text: str) -> ColumnElement[bool]:
    # Not LIKE: SQLite's takes capitals for small letters.
    return func.substr(column, 1, len(text)) == text


def _unknown(connection: Connection, text: str, meant: ColumnElement[bool]) -> UnknownBatch:
    why = why_without_requests(connection, meant)
    return UnknownBatch(text) if why is None else BatchWithoutRequests(why)


def by_number(connection: Connection, batch_no: int) -> RowMapping:
    """Return the batch with this number, without locking it."""
    return connection.execute(select(batch).where(batch.c.no == batch_no)).mappings().one()


def lock(connection: Connection, batch_no: int) -> RowMapping:
    """Take the batch's row lock: every transaction on its requests takes it first, so none deadlocks.

    Returns:
        The row without the options: see `options_of`.
    """
    return connection.execute(_LOCK, {"batch_no": batch_no}).mappings().one()


def try_lock(connection: Connection, batch_no: int) -> RowMapping | None:
    """Take the batch's row lock as `lock` does, unless another transaction has it: then return None."""
    query = select(*_WITHOUT_OPTIONS).where(batch.c.no == batch_no).with_for_update(skip_locked=True)
    return connection.execute(query).mappings().one_or_none()


def check_budget(options: BatchOptions, budget: int | None) -> None:
    """Raise UsageError for a budget with a model without a price: what its calls cost is unknown."""
    if budget is not None and options.unpriced:
        raise UsageError(
            "a budget (of this batch, or `budget` of the settings for those that name none) needs the price "
            f"of every model, and {options.unpriced[0]!r} has none"
        )


def payer_chain(connection: Connection, row: RowMapping) -> list[RowMapping]:
    """Return the locked batches whose budgets a call of this locked batch must fit: itself and its payer."""
    return [row] if row["payer_no"] is None else [row, lock(connection, row["payer_no"])]


def paused() -> Select[tuple[int]]:
    """Return the query for the numbers of the batches that are paused."""
    return select(batch.c.no).where(batch.c.paused_at.is_not(None), batch.c.status.in_(UNFINISHED))


def paid_by(connection: Connection, batch_no: int) -> list[int]:
    """Return the numbers of the unfinished batches that this one pays for."""
    query = select(batch.c.no).where(batch.c.payer_no == batch_no, batch.c.status.not_in(FINISHED))
    return list(connection.execute(query.order_by(batch.c.no)).scalars())


def charge(
    connection: Connection, row: RowMapping, *, spent: int = 0, reserved: int = 0, **added: int
) -> None:
    """Add micro-dollars to what a locked batch and its payer have spent and reserved.

    Args:
        connection: The transaction that has the lock.
        row: The batch.
        spent: What is added to its costs.
        reserved: What is added to its reservations.
        added: What is added to its counters.
    """
    # First the batch, then its payer, which has no payer itself: no two transactions wait for each other.
    count(connection, row["no"], spent=spent, reserved=reserved, **added)
    if row["payer_no"] is not None:
        count(connection, row["payer_no"], spent=spent, reserved=reserved)


def count(connection: Connection, batch_no: int, **added: int) -> None:
    """Add to the batch's running counters."""
    values: dict[str, Any] = {name: batch.c[name] + amount for name, amount in added.items() if amount}
    if values:
        connection.execute(update(batch).where(batch.c.no == batch_no).values(values))


def finish_if_done(connection: Connection, batch_no: int) -> None:
    """Mark the batch finished if every request has its outcome and no more requests come."""
    terminal = batch.c.succeeded + batch.c.failed + batch.c.cancelled
    ends = {"in_progress": "completed", "cancelling": "cancelled"}
    finished = connection.execute(
        update(batch)
        .where(batch.c.no == batch_no, batch.c.status.in_(ends), terminal >= batch.c.total)
        .values(status=case(ends, value=batch.c.status), finished_at=now_ms())
    )
    if finished.rowcount:
        purses.take_back(connection, batch_no)


def options_of(connection: Connection, batch_no: int) -> BatchOptions:
    """Return the options the batch was submitted with.

    Raises:
        UnreadableOptions: A newer Waybill stored them in another form.
    """
    return BatchOptions.from_row(_options_rows(connection, [batch_no])[batch_no])


def readable_options(connection: Connection, batch_nos: Collection[int]) -> dict[int, BatchOptions]:
    """Return the options of several batches by their numbers, of those whose options can be read."""
    found = {no: BatchOptions.readable(row) for no, row in _options_rows(connection, batch_nos).items()}
    return {no: options for no, options in found.items() if options is not None}


def _options_rows(connection: Connection, batch_nos: Collection[int]) -> dict[int, dict[str, Any]]:
    query = select(batch.c.no, batch.c.options).where(batch.c.no.in_(batch_nos))
    return {row.no: row.options for row in connection.execute(query)}
