"""A transaction that froze with a batch's lock holds up no other batch, and its own not for long."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, select
from sqlalchemy.exc import DBAPIError, OperationalError

from tasks.store import batches, engine, sweep, waiting
from tasks.store.engine import Store, is_lock_timeout
from tasks.store.learning.samples import COLLECT
from tasks.upkeep.loop import Sweeper
from tests.support import store_builders
from tests.support.comparisons import assert_batch
from tests.support.stores import PostgresServer

pytestmark = pytest.mark.postgres


@pytest.fixture
def frozen(postgres: PostgresServer) -> Iterator[Store]:
    store = Store(postgres.database())
    yield store
    store.close()


@pytest.fixture
def worker(frozen: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A worker's store that waits for a lock only shortly, on the database of the process that freezes."""
    monkeypatch.setattr(engine, "LOCK_TIMEOUT_S", 0.5)
    store = Store(frozen.url, is_worker=True)
    yield store
    store.close()


@pytest.fixture
def hasty(frozen: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A worker's store whose transactions may stand still only shortly."""
    monkeypatch.setattr(engine, "IDLE_IN_TRANSACTION_S", 0.5)
    store = Store(frozen.url, is_worker=True)
    yield store
    store.close()


def test_a_worker_waits_for_a_lock_only_so_long(frozen: Store, worker: Store) -> None:
    batch_no = store_builders.submit(frozen, store_builders.lines(1))
    with frozen.write() as connection:
        batches.lock(connection, batch_no)
        with pytest.raises(OperationalError) as error, worker.write() as waiting_for_it:
            batches.lock(waiting_for_it, batch_no)
    assert is_lock_timeout(error.value)


def test_the_server_ends_a_worker_s_transaction_that_stands_still(frozen: Store, hasty: Store) -> None:
    batch_no = store_builders.submit(frozen, store_builders.lines(1))
    with pytest.raises(DBAPIError), hasty.write() as connection:
        _stand_still(connection, frozen, batch_no)


def test_a_long_analysis_may_compute_between_two_statements(hasty: Store) -> None:
    with hasty.read(idle_s=600) as connection:
        time.sleep(0.8)
        assert connection.execute(select(1)).scalar_one() == 1


def test_the_sweeper_goes_on_with_other_batches_and_returns_to_the_one_that_was_locked(
    frozen: Store, worker: Store
) -> None:
    locked, other = (store_builders.submit(frozen, store_builders.lines(1)) for _ in range(2))
    for batch_no in (locked, other):
        store_builders.held(frozen, batch_no)
    store_builders.expire_leases(frozen)
    with frozen.write() as connection:
        batches.lock(connection, locked)
        sweep.expire(worker)
        assert store_builders.states(worker, other) == {"ready": 1}
        sweep.regroup(worker)
        sweep.wake(worker)
        assert store_builders.states(worker, locked) == {"held": 1}
    sweep.expire(worker)
    assert store_builders.states(worker, locked) == {"ready": 1}
    assert waiting.batches_that_wait(worker) == []


def test_the_sweeper_goes_on_with_its_other_work_as_well(frozen: Store, worker: Store) -> None:
    of_removed_model = store_builders.submit(frozen, store_builders.lines(1, model="gone"))
    locked, other = _explored(frozen), _explored(frozen)
    with frozen.write() as connection:
        for batch_no in (of_removed_model, locked):
            batches.lock(connection, batch_no)
        Sweeper(worker, 60, models=["small"]).sweep()
        assert_batch(store_builders.row(worker, other), status="completed")
        assert_batch(store_builders.row(worker, locked), status="ingesting")


def _explored(store: Store) -> int:
    """The exploration batch of a batch that has ended."""
    payer_no = store_builders.submit(store, store_builders.lines(1))
    store_builders.settle_all(store, payer_no, model="small")
    with store.write() as connection:
        row = batches.create(
            connection,
            source="test",
            options=store_builders.OPTIONS,
            budget=None,
            purpose=COLLECT,
            payer_no=payer_no,
        )
    return int(row["no"])


def _stand_still(connection: Connection, others: Store, batch_no: int) -> None:
    """Keep the lock of a batch until the server gives it to another transaction; then go on."""
    batches.lock(connection, batch_no)
    with others.write() as other:
        batches.lock(other, batch_no)
    connection.execute(select(1))
