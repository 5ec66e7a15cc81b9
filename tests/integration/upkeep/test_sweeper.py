"""The sweeper after clock jumps, long waits and errors: workers get the time to renew their leases first."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from tasks.store import sweep
from tasks.store.engine import Store, now_ms
from tasks.upkeep import loop
from tests.support import store_builders
from tests.support.comparisons import assert_batch

LEASE_S = 60.0


@pytest.fixture
def batch_no(store: Store) -> int:
    """A batch held by a worker whose lease has run out."""
    number = store_builders.submit(store, store_builders.lines(1))
    store_builders.claim(store, number)
    store_builders.expire_leases(store)
    return number


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """The host's clock and the database's, ahead of time by so many seconds."""
    ahead = {"host": 0.0, "database": 0.0}
    real = time.time
    monkeypatch.setattr(loop.time, "time", lambda: real() + ahead["host"])
    monkeypatch.setattr(loop, "now_ms", lambda: now_ms() + int(ahead["database"] * 1000))
    return ahead


def sweep_for_a_lease(sweeper: loop.Sweeper, clock: dict[str, float]) -> None:
    """Sweep several times, until the time that workers have to renew their leases is over."""
    for _ in range(5):
        clock["host"] += LEASE_S / 4
        sweeper.sweep()


@pytest.mark.parametrize("whose", ["host", "database"])
def test_after_a_jump_of_a_clock_leases_may_be_renewed_first(
    store: Store, batch_no: int, clock: dict[str, float], whose: str
) -> None:
    sweeper = loop.Sweeper(store, LEASE_S)
    sweeper._last = (time.time(), time.time())
    clock[whose] += 3600
    sweeper.sweep()
    assert store_builders.states(store, batch_no) == {"held": 1}
    clock["host"] += LEASE_S / 4
    sweeper.sweep()
    assert store_builders.states(store, batch_no) == {"held": 1}
    for _ in range(4):
        clock["host"] += LEASE_S / 4
        sweeper.sweep()
    # Nobody renewed it: it was taken back, and goes into a new chunk.
    sweep.regroup(store)
    assert_batch(store_builders.row(store, batch_no), status="in_progress")
    assert len(store_builders.held(store, batch_no, owner="another")) == 1


def test_without_a_break_a_lease_that_ran_out_is_taken_at_once(store: Store, batch_no: int) -> None:
    loop.Sweeper(store, LEASE_S).sweep()
    sweep.regroup(store)
    assert len(store_builders.held(store, batch_no, owner="another")) == 1


def test_nothing_expires_after_a_long_wait_for_the_stores_lock(
    store: Store, batch_no: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = store.write

    @contextmanager
    def locked() -> Iterator[Connection]:
        time.sleep(0.05)
        with write() as connection:
            yield connection

    monkeypatch.setattr(store, "write", locked)
    assert sweep.expire(store, patience_s=0.01) == 0
    assert store_builders.states(store, batch_no) == {"held": 1}
    assert sweep.expire(store, patience_s=60) == 1


def test_nothing_expires_until_a_lease_after_the_last_write_that_failed(
    store: Store, batch_no: int, clock: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    sweeper = loop.Sweeper(store, LEASE_S)

    def full(*_: object, **__: object) -> int:
        raise OperationalError("UPDATE", None, Exception("the disk is full"))

    with monkeypatch.context() as patch:
        patch.setattr(sweep, "expire", full)
        with pytest.raises(OperationalError):
            sweeper.sweep()
    sweeper.sweep()
    assert store_builders.states(store, batch_no) == {"held": 1}
    sweep_for_a_lease(sweeper, clock)
    sweep.regroup(store)
    assert len(store_builders.held(store, batch_no, owner="another")) == 1


def test_a_lease_that_ran_out_while_the_disk_was_full_may_be_renewed_first(
    store: Store, clock: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full before the lease runs out, so nothing is expired that fails, and free right after."""
    batch_no = store_builders.submit(store, store_builders.lines(1))
    store_builders.claim(store, batch_no)
    sweeper = loop.Sweeper(store, LEASE_S)
    sweeper.sweep()

    @contextmanager
    def full() -> Iterator[Connection]:
        raise OperationalError("UPDATE", None, Exception("the disk is full"))
        yield

    with monkeypatch.context() as patch:
        patch.setattr(store, "write", full)
        for _ in range(2):
            clock["host"] += LEASE_S / 5
            with pytest.raises(OperationalError):
                sweeper.sweep()
    store_builders.expire_leases(store)
    clock["host"] += 1.0
    sweeper.sweep()
    assert store_builders.states(store, batch_no) == {"held": 1}
    sweep_for_a_lease(sweeper, clock)
    assert store_builders.states(store, batch_no) == {"ready": 1}


@pytest.mark.parametrize("sweeps_before", [0, 1])
def test_a_lease_that_ran_out_while_the_sweeper_itself_waited_for_the_lock_may_be_renewed_first(
    store: Store, clock: dict[str, float], monkeypatch: pytest.MonkeyPatch, sweeps_before: int
) -> None:
    """Another process has the lock; when it lets go, the sweeper may be the first to get it."""
    batch_no = store_builders.submit(store, store_builders.lines(1))
    store_builders.claim(store, batch_no)
    sweeper, prove = loop.Sweeper(store, LEASE_S), sweep.prove_writable
    for _ in range(sweeps_before):
        sweeper.sweep()

    def waits(store: Store) -> None:
        clock["host"] += LEASE_S / 2
        store_builders.expire_leases(store)
        prove(store)

    with monkeypatch.context() as patch:
        patch.setattr(sweep, "prove_writable", waits)
        sweeper.sweep()
    assert store_builders.states(store, batch_no) == {"held": 1}
    sweep_for_a_lease(sweeper, clock)
    assert store_builders.states(store, batch_no) == {"ready": 1}


def test_a_write_that_fails_now_and_then_keeps_no_lease_alive(
    store: Store, batch_no: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweeper, prove = loop.Sweeper(store, LEASE_S), sweep.prove_writable

    def fails(_: Store) -> None:
        raise OperationalError("UPDATE", None, Exception("the reply was lost"))

    for works in (False, True):
        monkeypatch.setattr(sweep, "prove_writable", prove if works else fails)
        with nullcontext() if works else pytest.raises(OperationalError):
            sweeper.sweep()
    assert store_builders.states(store, batch_no) == {"ready": 1}
