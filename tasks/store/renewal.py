"""A lease that a thread renews while its process works."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from tasks.store.engine import Store

#: the longest pause before a renewal that failed is repeated
RETRY_S = 1.0


@contextmanager
def renewed(
    store: Store, renew: Callable[[Connection], object], lease_s: float, *, warn: Callable[[str], object]
) -> Iterator[None]:
    """Renew a lease three times in its length while the block runs.

    Args:
        store: The store.
        renew: Renews it in the transaction that it is given.
        lease_s: Its length.
        warn: Called with the class of an error that kept it from being renewed, such as a store that is down.
    """
    ended = threading.Event()
    thread = threading.Thread(target=_renew, args=(store, renew, lease_s, warn, ended), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _renew(
    store: Store,
    renew: Callable[[Connection], object],
    lease_s: float,
    warn: Callable[[str], object],
    ended: threading.Event,
) -> None:
    pause_s = lease_s / 3
    while not ended.wait(pause_s):
        try:
            with store.write() as connection:
                renew(connection)
            pause_s = lease_s / 3
        except Exception as error:
            pause_s = min(RETRY_S, lease_s / 3)
            warn(type(error).__name__)
