"""The sweeper's locks of batches: one whose lock is held for long, or which is broken, holds up no other."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

from sqlalchemy import Connection, RowMapping
from sqlalchemy.exc import OperationalError

from tasks.store import batches
from tasks.store.engine import Store, is_lock_timeout
from tasks.store.isolation import isolated

T = TypeVar("T")

logger = logging.getLogger(__name__)


def one_by_one(
    store: Store,
    items: Iterable[tuple[int, T]],
    work: Callable[[Connection, RowMapping, T], None],
    *,
    patience_s: float = math.inf,
) -> bool:
    """Do some work of the sweeper, each item in a transaction that holds its batch's lock.

    Those whose locks are free come first. The others are waited for, each at most as long as PostgreSQL lets
    a worker wait: the holder may have frozen.

    Args:
        store: The store.
        items: Numbers of batches, and what to work on.
        work: The work, given the transaction, the row of the batch, and the item.
        patience_s: After a longer wait for a lock nothing more is done.

    Returns:
        Whether patience lasted.
    """
    busy = []
    for item in items:
        done = _do(store, item, work, batches.try_lock, patience_s)
        if done is None:
            return False
        if not done:
            busy.append(item)
    return all(_do(store, item, work, batches.lock, patience_s) is not None for item in busy)


def _do(
    store: Store,
    item: tuple[int, T],
    work: Callable[[Connection, RowMapping, T], None],
    lock: Callable[[Connection, int], RowMapping | None],
    patience_s: float,
) -> bool | None:
    """Return whether there is no more to do now: its lock was free, or it fails; None when patience ended."""
    batch_no, subject = item
    began = time.monotonic()
    try:
        with isolated(f"batch {batch_no}"), store.write() as connection:
            row = lock(connection, batch_no)
            if time.monotonic() - began > patience_s:
                return None
            if row is not None:
                work(connection, row, subject)
            return row is not None
    except OperationalError as error:
        if not is_lock_timeout(error):
            raise
        logger.warning("upkeep of batch %d waits: another transaction has its lock", batch_no)
    return True
