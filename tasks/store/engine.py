"""The connection to the store of record: SQLite on one host, PostgreSQL on many."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import BigInteger, Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.pool import QueuePool
from sqlalchemy.sql.functions import FunctionElement

from tasks import failpoints

BUSY_TIMEOUT_S = 60.0
_KEPT_CONNECTIONS = 4
#: how often a process that wants to write looks whether another one still does
_LOOK_S = 0.001
#: A host that vanishes in mid-transaction holds its batch's lock for a minute, not until TCP gives up.
_POSTGRESQL = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "options": "-c idle_in_transaction_session_timeout=60000",
}
#: errors quote their statement's parameters otherwise: prompts and answers among them
_DISCREET: dict[str, Any] = {"hide_parameters": True}


class now_ms(FunctionElement[int]):  # noqa: N801  (reads as the SQL function it compiles to)
    """The database's clock in milliseconds since 1970: leases never trust a worker's clock."""

    type = BigInteger()
    inherit_cache = True


@compiles(now_ms, "sqlite")
def _now_sqlite(element: Any, compiler: Any, **kw: Any) -> str:
    return "CAST(ROUND((julianday('now') - 2440587.5) * 86400000) AS INTEGER)"


@compiles(now_ms, "postgresql")
def _now_postgresql(element: Any, compiler: Any, **kw: Any) -> str:
    return "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)"


class Store:
    """Opens transactions on the store; every query is a function that takes the open connection."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = _create(url)
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        # PostgreSQL takes a new snapshot for each statement unless told otherwise.
        self._reading = {"waybill_read": True} if self.is_sqlite else {"isolation_level": "REPEATABLE READ"}

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction that may write: committed at the end, rolled back on an exception."""
        with self.engine.begin() as connection:
            yield connection
        failpoints.reach("after_commit")

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent snapshot that does not block writers."""
        with self.engine.connect().execution_options(**self._reading) as connection, connection.begin():
            yield connection

    def close(self) -> None:
        """Close pooled connections."""
        self.engine.dispose()


def _create(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return _create_sqlite(url, parsed.database)
    if parsed.drivername == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    # pre_ping: a pooled connection survives a restart of the server.
    return create_engine(
        parsed, pool_pre_ping=True, pool_size=4, max_overflow=4, connect_args=_POSTGRESQL, **_DISCREET
    )


def _create_sqlite(url: str, database: str | None) -> Engine:
    if database and database != ":memory:":
        Path(database).parent.mkdir(parents=True, exist_ok=True)
    # Kept connections keep their prepared statements and the schema, and the last one that closes would write
    # the whole log back. Without a limit on their number, nobody waits for one while SQLite waits for a lock.
    engine = create_engine(
        url,
        poolclass=QueuePool,
        pool_size=_KEPT_CONNECTIONS,
        max_overflow=-1,
        connect_args={"timeout": BUSY_TIMEOUT_S, "check_same_thread": False},
        **_DISCREET,
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # The driver's own BEGIN is deferred: two such writers can deadlock into "database is locked".
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode=WAL")
    # FULL: an attempt must be on disk before its call is paid for, power cuts included.
    connection.execute("PRAGMA synchronous=FULL")


def _begin_sqlite(connection: Connection) -> None:
    if connection.get_execution_options().get("waybill_read", False):
        connection.exec_driver_sql("BEGIN")
        return
    driver: Any = connection.connection.driver_connection
    driver.execute("PRAGMA busy_timeout = 0")
    try:
        if not _has_turn(driver, time.monotonic() + BUSY_TIMEOUT_S):
            connection.exec_driver_sql("BEGIN IMMEDIATE")  # what fails, fails as SQLAlchemy's error
    finally:
        driver.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_S * 1000:.0f}")


def _has_turn(driver: Any, deadline: float) -> bool:
    """Begin to write as soon as no other process does; False where that fails."""
    # SQLite's own wait looks less and less often, at last ten times a second: while others write one short
    # transaction after the other, it would hardly ever find its turn.
    while time.monotonic() < deadline:
        try:
            driver.execute("BEGIN IMMEDIATE")
            return True
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                return False
        time.sleep(_LOOK_S)
    return False
