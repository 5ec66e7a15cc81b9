"""Faults of the store's database: crashes, cut connections, locks, a full disk, clock jumps, many sweeps."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import suppress

import psycopg
import pytest
from sqlalchemy import Connection, make_url, text

from tasks.failpoints import VARIABLE
from tasks.store import sweep
from tasks.store.engine import IDLE_IN_TRANSACTION_S, LOCK_TIMEOUT_S
from tests.faults.fault_environment import LEASE_S, FaultEnvironment
from tests.faults.nemesis import REQUESTS, Fault, Injection, no_injection, plain
from tests.support import store_builders

_LOCK_S = 30.0
_JUMP_S = 3600
#: when the batch of a frozen worker must go on
_GOES_ON_S = IDLE_IN_TRANSACTION_S + LOCK_TIMEOUT_S + 5.0

#: replaces PostgreSQL's clock_timestamp() by one that adds what the table holds
_SHIM = """
CREATE SCHEMA IF NOT EXISTS shim;
CREATE TABLE IF NOT EXISTS shim.clock (ahead interval);
DELETE FROM shim.clock;
INSERT INTO shim.clock VALUES ('0');
CREATE OR REPLACE FUNCTION shim.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE
AS 'SELECT pg_catalog.clock_timestamp() + ahead FROM shim.clock';
"""


def crashes(environment: FaultEnvironment) -> Iterator[None]:
    """SIGKILL to every process of the server, twice."""
    assert environment.postgres is not None
    yield
    for succeeded in (5, 30):
        environment.until_begun(succeeded)
        environment.postgres.crash()
        environment.watch(environment.random.uniform(0.5, 2))
        environment.postgres.restart()
    yield


def backends_die(environment: FaultEnvironment) -> Iterator[None]:
    """Every connection is cut, again and again."""
    yield
    environment.until_begun(5)
    for _ in range(12):
        _admin(environment, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
               "WHERE pid <> pg_backend_pid() AND datname = current_database()")  # fmt: skip
        environment.watch(environment.random.uniform(0.05, 0.5))
    yield


def is_locked(seconds: float) -> Injection:
    """Another connection holds the database's lock."""

    def inject(environment: FaultEnvironment) -> Iterator[None]:
        yield
        environment.until_begun()
        with environment.stack.store.engine.connect() as connection, connection.begin():
            if not environment.sqlite:
                connection.execute(text("LOCK TABLE batch, chunk IN ACCESS EXCLUSIVE MODE"))
            time.sleep(seconds)
        yield

    return inject


#: a worker without a purse needs the batch's lock for its next calls
_WITHOUT_PURSES = """
WITH taken AS (DELETE FROM purse RETURNING batch_no, amount)
INSERT INTO batch_delta (batch_no, reserved) SELECT batch_no, -coalesce(amount, 0) FROM taken
"""


def freezes_with_the_lock(environment: FaultEnvironment) -> Iterator[None]:
    """SIGSTOP of a dispatch worker that has the batch's row lock, with more connections in the queue for it.

    Another worker, which slept until then, goes on with the batch once the server has ended the frozen one's
    transactions. After that the frozen one wakes.
    """
    frozen, other = environment.running("dispatch")
    other.signal(signal.SIGSTOP)
    yield
    environment.until_begun(5)
    with environment.stack.store.engine.connect() as connection, connection.begin():
        connection.execute(text("SELECT no FROM batch FOR UPDATE"))
        with environment.stack.store.write() as beside:
            beside.execute(text(_WITHOUT_PURSES))
        environment.until(lambda: _waiting_for_locks(connection) >= 2)
        frozen.signal(signal.SIGSTOP)
        other.signal(signal.SIGCONT)
    began, row = time.monotonic(), environment.row() or {}
    environment.until_row(lambda now: now["calls"] > row["calls"], timeout_s=_GOES_ON_S)
    print(f"another worker calls after {time.monotonic() - began:.1f} s")
    environment.watch(1.0)
    frozen.signal(signal.SIGCONT)
    yield


def _waiting_for_locks(connection: Connection) -> int:
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    return int(connection.execute(text(query)).scalar_one())


def is_full(seconds: float) -> Injection:
    """The disk under the store is full."""

    def inject(environment: FaultEnvironment) -> Iterator[None]:
        yield from _fills_up(environment, seconds)

    return inject


def _fills_up(environment: FaultEnvironment, seconds: float) -> Iterator[None]:
    if not environment.disk.is_mount():
        pytest.skip("needs a small file system of its own: mounting tmpfs is not allowed here")
    if environment.sqlite:
        environment.until(lambda: _log_is_empty(environment))
    yield
    environment.until_begun(5)
    ballast = environment.disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            with suppress(OSError):
                while file.write(b"\0" * size):
                    pass
    environment.watch(seconds)
    row = environment.row()
    assert row is None or row["status"] == "in_progress", "the disk was not full"
    ballast.unlink()
    if environment.postgres is not None:
        environment.postgres.restart()  # in case it could not write its log and gave up
    yield


def _log_is_empty(environment: FaultEnvironment) -> bool:
    """SQLite's log is as long as it ever was, and would take a small batch without growing."""
    with environment.stack.store.engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        busy, _, _ = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
    return not busy


def is_swept_twice(environment: FaultEnvironment) -> Iterator[None]:
    """Three upkeep processes, one of which dies between publishing and forgetting."""
    extra = environment.start("upkeep")
    worker, latch = environment.start_with_failpoint("upkeep", "after_publish:kill:1")
    yield
    environment.until(lambda: latch.exists() or (environment.row() or {}).get("succeeded", 0) > 30)
    yield
    environment.stop(worker, *extra)


def is_swept_while_answers_come(environment: FaultEnvironment) -> Iterator[None]:
    """Every lease is made to run out and swept at once, in the middle of settlements.

    As often as a request may be lost: once more, and those that were held each time would be dead.
    """
    yield
    for n in range(sweep.MAX_LOSSES - 1):
        environment.until_begun(5 + 20 * n)
        store_builders.expire_leases(environment.stack.store)
        store_builders.at_once(3, lambda _: sweep.expire(environment.stack.store))
    yield


def clock_jumps(ahead_s: int) -> Injection:
    """The database's clock is set forward, or back, in mid-batch."""

    def inject(environment: FaultEnvironment) -> Iterator[None]:
        jump = _sqlite_jumps if environment.sqlite else _postgres_jumps
        yield from jump(environment, ahead_s)

    return inject


def _sqlite_jumps(environment: FaultEnvironment, ahead_s: int) -> Iterator[None]:
    """SQLite's clock is the host's, and so are its workers'."""
    offset = environment.stack.home / "offset"
    offset.write_text("0")
    environment.restore(environment.roles, {"TEST_CLOCK": str(offset)})
    yield
    environment.until_begun()
    replacement = offset.with_suffix(".new")
    replacement.write_text(str(ahead_s))
    replacement.replace(offset)
    environment.watch(2.0)
    yield


def _postgres_jumps(environment: FaultEnvironment, ahead_s: int) -> Iterator[None]:
    _admin(environment, _SHIM)
    database = make_url(environment.stack.settings.store_url).database
    _admin(environment, f"ALTER DATABASE {database} SET search_path = shim, pg_catalog, public")
    _cut_connections(environment)
    yield
    environment.until_begun()
    _admin(environment, f"UPDATE shim.clock SET ahead = '{ahead_s} s'")
    environment.watch(2.0)
    yield
    _admin(environment, f"ALTER DATABASE {database} RESET search_path")
    _cut_connections(environment)


def _cut_connections(environment: FaultEnvironment) -> None:
    environment.stack.store.close()
    _admin(environment, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
           "WHERE pid <> pg_backend_pid() AND datname = current_database()")  # fmt: skip


def _admin(environment: FaultEnvironment, statement: str) -> None:
    url = make_url(environment.stack.settings.store_url).set(drivername="postgresql")
    with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as connection:
        connection.execute(statement.encode())


FAULTS = [
    Fault(name="PostgreSQL SIGKILL, restart", number=7, inject=crashes, stores=("postgresql",)),
    Fault(name="PostgreSQL backends killed", number=7, inject=backends_die, stores=("postgresql",)),
    Fault(
        name="COMMIT, then an error",
        number=7,
        inject=no_injection,
        # Every ninth COMMIT succeeds and is reported as failed, in all workers.
        variables={VARIABLE: "after_commit:error:9*"},
        quick=("postgresql",),
    ),
    Fault(
        name="SIGSTOP with the batch's lock",
        number=6,
        inject=freezes_with_the_lock,
        stores=("postgresql",),
        crashes=1,
    ),
    Fault(name=f"database locked {_LOCK_S:.0f} s", number=8, inject=is_locked(_LOCK_S)),
    Fault(name="disk full 10 s", number=8, inject=is_full(10.0)),
    # Long enough for every lease to run out: the workers live, and lose none of their calls.
    Fault(name="disk full for two leases", number=8, inject=is_full(2 * LEASE_S), stores=("sqlite",)),
    Fault(name="three relays and sweepers, one dies", number=17, inject=is_swept_twice),
    Fault(
        name="sweeper races completion",
        number=17,
        inject=is_swept_while_answers_come,
        # A sweep takes as long as a third of these on a busy machine, and there are two.
        items=lambda environment: plain(environment, 4 * REQUESTS),
        budget=8_000_000,
        crashes=6,
    ),
    Fault(name="clock jumps 1 h ahead", number=18, inject=clock_jumps(_JUMP_S)),
    Fault(name=f"clock jumps {LEASE_S:.0f} s back", number=18, inject=clock_jumps(-int(LEASE_S))),
]
