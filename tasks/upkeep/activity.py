"""Whether there is work for upkeep: without any, its loops sleep until the store changes.

PostgreSQL notifies of the transactions of all processes but workers (`Store.write`), whose work is part of
batches that run. SQLite counts the transactions of other connections (`PRAGMA data_version`). Polling is only
the net, for a notification that is lost, as behind a pooler that does not pass `LISTEN` on.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from contextlib import suppress
from typing import Any, Protocol

from sqlalchemy import Connection, exists, or_, select

from tasks.connections.services import service_of
from tasks.store.engine import CHANNEL, Store
from tasks.store.tables import batch, chunk, outbox

logger = logging.getLogger(__name__)

#: how often a loop looks although nothing tells of work; less with short leases, see `Activity`
NET_S = 3.0
#: how often work is looked for while there is some
_BUSY_S = 1.0
#: how soon a process that sleeps notices that it is to stop, and a change of a SQLite file
_STEP_S = 0.2
_RUNNING = ("in_progress", "cancelling")
_BEGUN = ("queued", "claimed")


class Activity:
    """The knowledge, which all loops of a process share, of whether there is work."""

    def __init__(self, store: Store, stop: threading.Event, *, lease_s: float) -> None:
        self._store = store
        self._stop = stop
        # The sweeper takes a longer pause for an interruption, in which no lease could be renewed.
        self._net_s = min(NET_S, lease_s / 6)
        self._awake = threading.Event()
        self._awake.set()
        self._changes: _Changes = _Counted(store) if store.is_sqlite else _Notified(store)

    def watch(self) -> None:
        """Look for work until the process is to stop."""
        while not self._stop.is_set():
            try:
                self._look()
            except Exception as error:  # the store comes back; until then all loops run, and wait for it
                self._awake.set()
                logger.warning("upkeep waits: %s: %s", service_of(error), type(error).__name__)
                self._stop.wait(_BUSY_S)
        self._awake.set()
        self._changes.close()

    def pause(self, seconds: float) -> None:
        """Sleep so long; while there is no work, until there is some."""
        if self._awake.is_set():
            self._stop.wait(seconds)
            return
        self._awake.wait(max(seconds, self._net_s))

    def _look(self) -> None:
        with self._store.read() as connection:
            busy = is_busy(connection)
        if busy:
            self._awake.set()
            self._stop.wait(_BUSY_S)
            return
        self._awake.clear()
        until = time.monotonic() + self._net_s
        while not self._stop.is_set() and (left := until - time.monotonic()) > 0:
            if self._changes.wait(min(left, _STEP_S)):
                return


def is_busy(connection: Connection) -> bool:
    """Return whether a batch runs, a chunk is begun or a message waits."""
    running = exists().where(batch.c.status.in_(_RUNNING))
    begun = exists().where(chunk.c.state.in_(_BEGUN))
    return bool(connection.execute(select(or_(running, begun, exists(outbox.select())))).scalar_one())


class _Changes(Protocol):
    def wait(self, seconds: float) -> bool:
        """Return whether another process changed the store, after at most so many seconds."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


class _Counted:
    """Changes of a SQLite file, which counts them for each connection."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._connection: sqlite3.Connection | None = None
        self._seen: int | None = None

    def wait(self, seconds: float) -> bool:
        time.sleep(seconds)
        if self._connection is None:
            file = self._store.engine.url.database or ""
            self._connection = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        seen, self._seen = self._seen, version
        return bool(version != seen)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()


class _Notified:
    """Notifications of PostgreSQL, on a connection of its own."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._connection: Any = None

    def wait(self, seconds: float) -> bool:
        try:
            if self._connection is None:
                self._connection = self._listening()
                return True  # something may have changed before
            return any(True for _ in self._connection.notifies(timeout=seconds, stop_after=1))
        except Exception:
            self.close()
            raise

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):
                connection.close()

    def _listening(self) -> Any:
        pooled = self._store.engine.raw_connection()
        connection: Any = pooled.driver_connection
        pooled.detach()  # it goes back to no pool
        connection.autocommit = True
        connection.execute(f"LISTEN {CHANNEL}")
        return connection
