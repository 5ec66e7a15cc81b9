"""The connection to the store of record: SQLite on one host, or PostgreSQL."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import BigInteger, Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, DisconnectionError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool
from sqlalchemy.sql.functions import FunctionElement

from tasks import failpoints
from tasks.connections.credentials import UNCLEAR, are_clear
from tasks.connections.store_url import with_hosts_apart
from tasks.errors import SettingsError
from tasks.private_home import make_file

BUSY_TIMEOUT_S = 60.0
#: how long the emptying of SQLite's log waits for readers
LOG_TIMEOUT_S = 1.0
_POOL_SIZE = 4
#: pause between two attempts to begin a write transaction on SQLite
_BEGIN_POLL_S = 0.001
#: A worker that freezes, or whose host vanishes, in mid-transaction holds its lock on a batch for so long;
#: other processes for the longer time: they may compute between two statements.
IDLE_IN_TRANSACTION_S, LONG_IDLE_S = 10.0, 60.0
#: What workers wait for a lock. The server ends the wait, so a frozen worker's other connections, which queue
#: for the lock, do not hold it one after the other.
LOCK_TIMEOUT_S = 5.0
#: PostgreSQL's channel on which upkeep hears that there may be work
CHANNEL = "waybill_work"
_POSTGRESQL_CONNECT_ARGS = {
    # Without it, a database in SQL_ASCII would answer in bytes; `schema.ensure_schema` refuses it by name.
    "client_encoding": "utf8",
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    # A host that vanishes while a statement is under way: Linux would go on sending for a quarter of an hour.
    "tcp_user_timeout": 30_000,
}
#: a pooled connection that was not used for so long is tried before it is used
PING_AFTER_S = 1.0
#: keeps prompts and answers, which are parameters of statements, out of error messages
_ENGINE_OPTIONS: dict[str, Any] = {"hide_parameters": True}


def is_lock_timeout(error: DBAPIError) -> bool:
    """Return whether a statement of PostgreSQL failed because another transaction held a lock too long."""
    return getattr(error.orig, "sqlstate", None) == "55P03"  # lock_not_available


class now_ms(FunctionElement[int]):  # noqa: N801  (reads as the SQL function it compiles to)
    """The database's clock in milliseconds since 1970; leases do not depend on the clocks of workers."""

    type = BigInteger()
    inherit_cache = True


@compiles(now_ms, "sqlite")
def _now_sqlite(element: Any, compiler: Any, **kw: Any) -> str:
    return "CAST(ROUND((julianday('now') - 2440587.5) * 86400000) AS INTEGER)"


@compiles(now_ms, "postgresql")
def _now_postgresql(element: Any, compiler: Any, **kw: Any) -> str:
    return "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)"


class Store:
    """The store of record; it opens transactions, in which functions of this package run their queries."""

    def __init__(self, url: str, *, is_worker: bool = False) -> None:
        """Connect to a database when it is first used.

        Args:
            url: SQLAlchemy's URL.
            is_worker: Whether transactions are short and are repeated when they fail. PostgreSQL then ends
                those that are idle or wait for a lock, so that a process that freezes holds up no other.
        """
        self.url = url
        self.engine = _create(url, is_worker=is_worker)
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        self._notifies = not (is_worker or self.is_sqlite)
        # PostgreSQL's default, READ COMMITTED, takes a new snapshot for each statement.
        self._read_options = (
            {"waybill_read": True} if self.is_sqlite else {"isolation_level": "REPEATABLE READ"}
        )

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Open a transaction that may write; it is committed at the end and rolled back on an exception."""
        with self.engine.begin() as connection:
            yield connection
            if self._notifies:  # upkeep may sleep; workers write only while it is awake
                connection.exec_driver_sql(f"NOTIFY {CHANNEL}")
        failpoints.reach("after_commit")

    @contextmanager
    def statement(self) -> Iterator[Connection]:
        """Open a connection on which each statement is a transaction of its own, in one round trip."""
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            yield connection
        failpoints.reach("after_commit")

    @contextmanager
    def read(self, *, idle_s: float | None = None) -> Iterator[Connection]:
        """Open a read-only transaction: one consistent snapshot that does not block writers.

        Args:
            idle_s: How long it may compute between two statements; by default as the store's other ones.
        """
        options = self._read_options
        with self.engine.connect().execution_options(**options) as connection, connection.begin():
            if idle_s is not None and not self.is_sqlite:
                limit = f"SET LOCAL idle_in_transaction_session_timeout = {idle_s * 1000:.0f}"
                connection.exec_driver_sql(limit)
            yield connection

    def empty_log(self) -> None:
        """Empty SQLite's write-ahead log, which holds pages as they were before; not while others read it."""
        if not self.is_sqlite:
            return
        with closing(self.engine.raw_connection()) as pooled, suppress(sqlite3.OperationalError):
            driver: Any = pooled.driver_connection
            driver.execute(f"PRAGMA busy_timeout = {LOG_TIMEOUT_S * 1000:.0f}")
            try:
                driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            finally:
                driver.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_S * 1000:.0f}")

    def close(self) -> None:
        """Close the pooled connections."""
        self.engine.dispose()


def _create(url: str, *, is_worker: bool) -> Engine:
    if not are_clear(url):
        raise SettingsError(f"[store] url: {UNCLEAR}")
    try:
        parsed = make_url(with_hosts_apart(url))
    except (ArgumentError, ValueError):  # the text of the error would show a password
        raise SettingsError("[store] url is no URL like postgresql://USER:PASSWORD@HOST/NAME") from None
    if parsed.get_backend_name() == "sqlite":
        return _create_sqlite(url, parsed.database)
    if parsed.drivername == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    timeouts = {
        "idle_in_transaction_session_timeout": IDLE_IN_TRANSACTION_S if is_worker else LONG_IDLE_S,
        "lock_timeout": LOCK_TIMEOUT_S if is_worker else 0.0,
    }
    options = " ".join(f"-c {name}={seconds * 1000:.0f}" for name, seconds in timeouts.items())
    engine = create_engine(
        parsed,
        pool_pre_ping=not is_worker,
        pool_size=_POOL_SIZE,
        max_overflow=4,
        connect_args={**_POSTGRESQL_CONNECT_ARGS, "options": options},
        **_ENGINE_OPTIONS,
    )
    if is_worker:
        event.listen(engine, "checkin", _note_use)
        event.listen(engine, "checkout", partial(_replace_if_closed, engine))
    return engine


def _note_use(_driver: Any, record: ConnectionPoolEntry) -> None:
    record.info["used_at"] = time.monotonic()


def _replace_if_closed(engine: Engine, driver: Any, record: ConnectionPoolEntry, _proxy: Any) -> None:
    """Replace a pooled connection that a restart of the server has closed.

    SQLAlchemy's own pool_pre_ping would cost each of a worker's transactions a round trip.
    """
    if time.monotonic() - record.info.get("used_at", 0.0) < PING_AFTER_S:
        return
    try:
        engine.dialect.do_ping(driver)
    except engine.dialect.loaded_dbapi.Error:
        raise DisconnectionError from None


def _create_sqlite(url: str, database: str | None) -> Engine:
    if database and database != ":memory:" and not database.startswith("file:"):
        with suppress(OSError):  # SQLite's own error names the database
            make_file(Path(database))  # its log gets the same mode
    # Pooled connections keep their prepared statements and the schema; closing the last one would checkpoint
    # the whole write-ahead log. With an unlimited overflow, no thread waits for a connection while others
    # wait for SQLite's lock.
    engine = create_engine(
        url,
        poolclass=QueuePool,
        pool_size=_POOL_SIZE,
        max_overflow=-1,
        connect_args={"timeout": BUSY_TIMEOUT_S, "check_same_thread": False},
        **_ENGINE_OPTIONS,
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # The driver's own BEGIN is deferred: two such writers can deadlock ("database is locked").
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode=WAL")
    # FULL: an attempt must be on disk before its paid call is made, even if the power fails.
    connection.execute("PRAGMA synchronous=FULL")


def _begin_sqlite(connection: Connection) -> None:
    if connection.get_execution_options().get("waybill_read", False):
        connection.exec_driver_sql("BEGIN")
        return
    driver: Any = connection.connection.driver_connection
    driver.execute("PRAGMA busy_timeout = 0")
    try:
        if not _begin_immediate(driver, time.monotonic() + BUSY_TIMEOUT_S):
            connection.exec_driver_sql("BEGIN IMMEDIATE")  # fails again, with SQLAlchemy's error
    finally:
        driver.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_S * 1000:.0f}")


def _begin_immediate(driver: Any, deadline: float) -> bool:
    """Begin a write transaction once no other one is open; False after the deadline or another error."""
    # SQLite's own busy handler polls less and less often, down to ten times a second. While other processes
    # write one short transaction after the other, it would hardly ever get the lock.
    while time.monotonic() < deadline:
        try:
            driver.execute("BEGIN IMMEDIATE")
            return True
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                return False
        time.sleep(_BEGIN_POLL_S)
    return False
