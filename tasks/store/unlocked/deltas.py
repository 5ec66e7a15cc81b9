"""Deltas: what is added to a batch without its lock, until whoever has the lock folds it into the row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, func, select

from tasks.store import batches, outcomes
from tasks.store.api import ended
from tasks.store.bulk import batched_ids
from tasks.store.tables import outcome, request
from tasks.store.unlocked import purses
from tasks.store.unlocked.tables import COUNTERS, batch_delta, purse


def exact(connection: Connection, batch_no: int) -> RowMapping:
    """Lock a batch, take its purses back and fold its deltas; returns its row, which now holds everything."""
    row = batches.lock(connection, batch_no)
    if connection.dialect.name == "sqlite":
        return row
    purses.take_back(connection, batch_no)
    fold(connection, row)
    return batches.lock(connection, batch_no)


def exact_payers(connection: Connection, row: RowMapping) -> list[RowMapping]:
    """Return the exact rows of a locked batch and of its payer, as `batches.payer_chain` locks them."""
    payers = batches.payer_chain(connection, row)  # before their purses are touched: see `purses.take_back`
    return [exact(connection, payer["no"]) for payer in payers]


def fold(connection: Connection, row: RowMapping) -> None:
    """Add the deltas of a locked batch to its row, and do what follows from the ends of requests.

    Their duplicates end, the API's order of ended lines grows, and the batch ends with its last request.
    """
    batch_no = row["no"]
    found = delete(batch_delta).where(batch_delta.c.batch_no == batch_no).returning(batch_delta)
    deltas = sorted(connection.execute(found), key=lambda one: int(one.id))
    if not deltas:
        return
    counted = Counter({name: sum(getattr(one, name) for one in deltas) for name in COUNTERS})
    ids = [request_id for one in deltas for request_id in one.ended or ()]
    ended.record(connection, batch_no, ids)
    if row["duplicates"]:
        counted.update(_end_duplicates(connection, ids))
    batches.count(connection, batch_no, **counted)
    batches.finish_if_done(connection, batch_no)


def unfolded(connection: Connection, batch_nos: Collection[int]) -> dict[int, dict[str, int]]:
    """Return what is to be added to the rows of these batches, by counter; purses count as not reserved."""
    if connection.dialect.name == "sqlite":
        return {}
    sums = [func.sum(batch_delta.c[name]).label(name) for name in COUNTERS]
    query = select(batch_delta.c.batch_no, *sums).where(batch_delta.c.batch_no.in_(batch_nos))
    found = {
        row.batch_no: {name: int(row._mapping[name]) for name in COUNTERS}
        for row in connection.execute(query.group_by(batch_delta.c.batch_no))
    }
    for column in (purse.c.batch_no, purse.c.payer_no):
        held = select(column, func.sum(purse.c.amount)).where(column.in_(batch_nos)).group_by(column)
        for batch_no, amount in connection.execute(held):
            of_batch = found.setdefault(int(batch_no or 0), dict.fromkeys(COUNTERS, 0))
            of_batch["reserved"] -= int(amount or 0)
    return found


def with_unfolded(connection: Connection, row: RowMapping) -> dict[str, Any]:
    """Return a batch's row as it will be when its deltas are folded, without its purses."""
    more = unfolded(connection, [row["no"]]).get(row["no"], {})
    return {**row, **{name: row[name] + amount for name, amount in more.items()}}


def _end_duplicates(connection: Connection, originals: Sequence[int]) -> Counter[str]:
    """End the waiting duplicates of these ended requests; returns how many, by status."""
    by_status: dict[str, list[int]] = {}
    for part in batched_ids(originals):
        query = (
            select(request.c.id, outcome.c.status)
            .join(outcome, outcome.c.request_id == request.c.duplicate_of)
            .where(request.c.duplicate_of.in_(part), request.c.state == "following")
        )
        for request_id, status in connection.execute(query):
            by_status.setdefault(status, []).append(request_id)
    for status, ids in by_status.items():
        outcomes.copy_to_duplicates(connection, ids, status)
    return Counter({status: len(ids) for status, ids in by_status.items()})
