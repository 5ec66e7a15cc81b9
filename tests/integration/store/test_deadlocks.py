"""Deadlocks on PostgreSQL: those that others cause lose nothing, and workers and sweepers cause none."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from sqlalchemy import Connection, select, text
from sqlalchemy.exc import OperationalError

from tasks.stages.dispatch.delta_folder import DeltaFolder
from tasks.stages.dispatch.repository import DispatchRepository
from tasks.stages.dispatch.settlement_writer import SettlementWriter
from tasks.store import batches, control, sweep
from tasks.store.engine import Store
from tasks.store.tables import attempt, chunk
from tasks.store.values import HeldRequest, Settlement
from tests.support import store_builders
from tests.support.comparisons import assert_batch, assert_fields
from tests.support.invariants import check_batch
from tests.support.stores import PostgresServer

pytestmark = pytest.mark.postgres


@pytest.fixture
def store(postgres: PostgresServer) -> Iterator[Store]:
    opened = Store(postgres.database())
    yield opened
    opened.close()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


def await_lock_waits(store: Store, number: int) -> None:
    """Wait until this many transactions wait for a lock."""
    query = text(
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE wait_event_type = 'Lock' AND datname = current_database() "
        "AND cardinality(pg_blocking_pids(pid)) > 0"
    )
    deadline, waiting = time.monotonic() + 200, 0
    while time.monotonic() < deadline:
        with store.read() as connection:
            waiting = connection.execute(query).scalar_one()
        if waiting >= number:
            return
        time.sleep(0.01)
    raise AssertionError(f"{waiting} transactions wait for a lock, not {number}")


def lock_chunk(connection: Connection, chunk_id: int) -> None:
    connection.execute(select(chunk.c.id).where(chunk.c.id == chunk_id).with_for_update())


def lock_call(connection: Connection, request_id: int) -> None:
    connection.execute(select(attempt.c.number).where(attempt.c.request_id == request_id).with_for_update())


class Crossing:
    """A transaction that locks in the wrong order: PostgreSQL ends whoever has the second lock meanwhile."""

    def __init__(
        self, store: Store, first: Callable[[Connection], object], second: Callable[[Connection], object]
    ) -> None:
        self._has_the_first = threading.Event()
        self._work = (store, first, second)

    def begin(self, pool: ThreadPoolExecutor) -> Future[None]:
        ended = pool.submit(self._run, *self._work)
        assert self._has_the_first.wait(200)
        return ended

    def _run(
        self, store: Store, first: Callable[[Connection], object], second: Callable[[Connection], object]
    ) -> None:
        with store.write() as connection:
            # The other side looks for a deadlock first, and finds itself in one.
            connection.execute(text("SET LOCAL deadlock_timeout = '60s'"))
            first(connection)
            self._has_the_first.set()
            await_lock_waits(store, 1)
            second(connection)


def settled(requests: Sequence[HeldRequest]) -> list[Settlement]:
    return [store_builders.settlement(one, number=1) for one in requests]


async def write(store: Store, settlements: Sequence[Settlement]) -> list[Settlement]:
    written: list[Settlement] = []
    folder = DeltaFolder(DispatchRepository(store, "worker"))
    writer = SettlementWriter(store, "worker", written.append, folder.note)
    for settlement in settlements:
        writer.add(settlement)
    running = asyncio.create_task(writer.run())
    await writer.idle()
    running.cancel()
    await folder.fold()
    return written


def test_settlements_that_are_ended_to_break_a_deadlock_are_written_again_and_once(
    store: Store, pool: ThreadPoolExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(4))
    requests = store_builders.held(store, batch_no)
    store_builders.reserve(store, requests)
    crossing = Crossing(
        store,
        lambda connection: lock_call(connection, requests[0].id),
        lambda connection: lock_chunk(connection, requests[0].chunk_id),
    ).begin(pool)
    written = asyncio.run(write(store, settled(requests)))
    crossing.result()
    assert "settlements wait: OperationalError" in caplog.text
    assert len(written) == 4
    totals = check_batch(store, str(store_builders.row(store, batch_no)["id"]))
    assert_fields(totals, outcomes={"succeeded": 4}, spent=4 * 30)


def test_a_worker_that_settles_and_passes_over_does_not_cross_its_own_heartbeat(
    store: Store, pool: ThreadPoolExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(8))
    requests = store_builders.held(store, batch_no)
    first, second = sorted({one.chunk_id for one in requests})
    sent = [one for one in requests if one.chunk_id == second]
    unsent = [one for one in requests if one.chunk_id == first]
    store_builders.reserve(store, sent)
    settlements = settled(sent) + [store_builders.without_call(one, store_builders.REFUSED) for one in unsent]
    with store.write() as connection:
        lock_chunk(connection, second)
        writing = pool.submit(lambda: asyncio.run(write(store, settlements)))
        await_lock_waits(store, 1)
        beating = pool.submit(DispatchRepository(store, "worker").extend, [first, second], 60.0)
        await_lock_waits(store, 2)
    assert len(writing.result()) == 8
    assert beating.result() <= {first, second}
    assert "wait" not in caplog.text
    totals = check_batch(store, str(store_builders.row(store, batch_no)["id"]))
    assert totals.outcomes == {"succeeded": 4, "failed": 4}


def test_a_sweep_that_is_ended_to_break_a_deadlock_has_charged_nothing_and_is_repeated(
    store: Store, pool: ThreadPoolExecutor
) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(4))
    requests = store_builders.held(store, batch_no)
    store_builders.reserve(store, requests)
    store_builders.expire_leases(store)
    crossing = Crossing(
        store,
        lambda connection: lock_chunk(connection, requests[0].chunk_id),
        lambda connection: batches.lock(connection, batch_no),
    ).begin(pool)
    with pytest.raises(OperationalError, match="deadlock detected"):
        sweep.expire(store)
    crossing.result()
    assert_batch(store_builders.row(store, batch_no), spent=0)
    assert sweep.expire(store) == 1
    assert_batch(store_builders.row(store, batch_no), spent=4 * 100)
    assert sweep.expire(store) == 0


def test_who_cancels_a_batch_with_those_that_it_pays_for_does_not_cross_a_heartbeat(
    store: Store, pool: ThreadPoolExecutor
) -> None:
    payer = store_builders.submit(store, store_builders.lines(4))
    judge_run = store_builders.submit(store, store_builders.lines(4), payer_no=payer)
    [first] = {one.chunk_id for one in store_builders.held(store, payer)}
    [second] = {one.chunk_id for one in store_builders.held(store, judge_run)}
    batch_id = str(store_builders.row(store, payer)["id"])

    def cancel() -> int:
        with store.write() as connection:
            return control.cancel(connection, batch_id)

    with store.write() as connection:
        lock_chunk(connection, second)
        cancelling = pool.submit(cancel)
        await_lock_waits(store, 1)
        beating = pool.submit(DispatchRepository(store, "worker").extend, [first, second], 60.0)
        await_lock_waits(store, 2)
    assert cancelling.result() == 4
    assert beating.result() <= {first, second}
    for number in (payer, judge_run):
        assert_batch(store_builders.row(store, number), status="cancelled")
