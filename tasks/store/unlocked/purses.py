"""Purses: money that a batch's row counts as reserved, for the next calls of one process.

Who needs to know what a batch really has left takes its purses back, under the batch's lock: what is left in
a purse is exact, because each reservation takes from it in the transaction that records the calls. A purse of
a dead process therefore needs no lease.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from sqlalchemy import Connection, RowMapping, delete, insert, select, update

from tasks.store.tables import batch
from tasks.store.unlocked.tables import batch_delta, purse

#: what a purse holds: as much as so many reservations like the last one, at most this part of what is left
RESERVATIONS, PART = 64, 8
#: a purse for fewer reservations than this is not worth its transaction: then money is short
LEAST = 4


def fill(
    connection: Connection, payers: Sequence[RowMapping], *, owner: str, asked: int, left: float
) -> int | None:
    """Fill the purse of a process, which replaces the one that it had.

    Args:
        connection: A transaction that has the locks of the batch and of its payer.
        payers: The rows of the batch and its payer.
        owner: The process.
        asked: The worst case of its last reservation, in micro-dollars.
        left: What the budgets have left.

    Returns:
        The purse's id; None where money is short, or the store is SQLite.
    """
    amount = None if math.isinf(left) else min(int(left) // PART, asked * RESERVATIONS)
    if connection.dialect.name == "sqlite" or (amount is not None and amount < asked * LEAST):
        return None
    row = payers[0]
    mine = (purse.c.batch_no == row["no"]) & (purse.c.owner == owner)
    before = connection.execute(delete(purse).where(mine).returning(purse.c.amount)).scalar_one_or_none()
    for payer in payers:
        _reserve(connection, payer["no"], (amount or 0) - (before or 0))
    values = {"batch_no": row["no"], "payer_no": row["payer_no"], "owner": owner, "amount": amount}
    return int(connection.execute(insert(purse).values(values).returning(purse.c.id)).scalar_one())


def take_back(connection: Connection, batch_no: int) -> None:
    """Take back the purses of a locked batch, and those of the batches that it pays for.

    One of the latter that another transaction works on stays: to wait for it could be a deadlock, and the
    budget has it reserved.
    """
    if connection.dialect.name == "sqlite":
        return
    paid = select(purse.c.id).where(purse.c.payer_no == batch_no).with_for_update(skip_locked=True)
    columns = (purse.c.batch_no, purse.c.payer_no, purse.c.amount)
    taken = [
        row
        for mine in (purse.c.batch_no == batch_no, purse.c.id.in_(paid))
        for row in connection.execute(delete(purse).where(mine).returning(*columns))
        if row.amount
    ]
    _reserve(connection, batch_no, -sum(row.amount for row in taken))
    others = [
        {"batch_no": other, "reserved": -row.amount}
        for row in taken
        for other in (row.batch_no, row.payer_no)
        if other not in (None, batch_no)
    ]
    if others:
        connection.execute(insert(batch_delta), others)


def _reserve(connection: Connection, batch_no: int, amount: int) -> None:
    if amount:
        more = update(batch).where(batch.c.no == batch_no)
        connection.execute(more.values(reserved=batch.c.reserved + amount))
