"""The folding of deltas by the processes that write them, and by the sweeper."""

from __future__ import annotations

from sqlalchemy import Connection, RowMapping, select, union

from tasks.store import batches, ledger, waiting
from tasks.store.engine import Store
from tasks.store.sweep_locks import one_by_one
from tasks.store.tables import batch
from tasks.store.unlocked import deltas, purses
from tasks.store.unlocked.tables import batch_delta, purse


def fold_batch(store: Store, batch_no: int) -> bool:
    """Fold the deltas of a batch, unless another transaction has its lock; returns whether it was free."""
    with store.write() as connection:
        row = batches.try_lock(connection, batch_no)
        if row is not None:
            _fold(connection, row, None)
    return row is not None


def fold_all(store: Store) -> None:
    """Fold what processes left that have died, and take back their purses from batches that have ended."""
    if store.is_sqlite:
        return
    ended = select(purse.c.batch_no).join(batch, batch.c.no == purse.c.batch_no)
    found = union(select(batch_delta.c.batch_no), ended.where(batch.c.status.in_(batches.FINISHED)))
    with store.read() as connection:
        numbers = sorted(connection.execute(found).scalars())
    one_by_one(store, [(number, None) for number in numbers], _fold)


def _fold(connection: Connection, row: RowMapping, _: None) -> None:
    deltas.fold(connection, row)
    if row["status"] in batches.FINISHED:
        purses.take_back(connection, row["no"])
    elif row["budget"] is not None or row["payer_no"] is not None:
        ledger.apply_results(connection, row["no"], waiting.wake(connection, row["no"]))
