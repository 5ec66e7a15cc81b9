"""The lease of a process on a batch of the API, renewed while it works on it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from tasks.store.engine import Store

logger = logging.getLogger(__name__)


@contextmanager
def renewed(store: Store, renew: Callable[[Connection], object], lease_s: float) -> Iterator[None]:
    """Renew a lease three times in its length while the block runs."""
    ended = threading.Event()

    def keep() -> None:
        while not ended.wait(lease_s / 3):
            try:
                with store.write() as connection:
                    renew(connection)
            except Exception as error:  # the store is away: the next time
                logger.warning("a lease waits: %s", type(error).__name__)

    thread = threading.Thread(target=keep, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
