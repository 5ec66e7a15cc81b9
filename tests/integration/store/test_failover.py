"""A PostgreSQL replica is promoted: what is left of what the primary had confirmed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace

import pytest
from sqlalchemy.exc import SQLAlchemyError

from tasks.settings import Settings
from tasks.stages.dispatch.settlement_writer import SettlementWriter
from tasks.store.engine import Store
from tasks.store.schema import ensure_schema
from tasks.store.values import HeldRequest, Settlement
from tests.support import store_builders
from tests.support.postgres_pair import PostgresPair
from tests.support.stores import PostgresServer
from tests.support.waiting import wait_until
from workers.doctor.finding import Level
from workers.doctor.replication import replication

pytestmark = pytest.mark.postgres
#: opens a pair, synchronous or not, and its store
OpenPair = Callable[..., tuple[PostgresPair, Store]]


@pytest.fixture
def open_pair(postgres: PostgresServer) -> Iterator[OpenPair]:
    with ExitStack() as services:

        def start(*, synchronous: bool) -> tuple[PostgresPair, Store]:
            pair = services.enter_context(PostgresPair(postgres, synchronous=synchronous))
            store = Store(pair.url, is_worker=True)
            services.callback(store.close)
            ensure_schema(store)
            return pair, store

        yield start


def test_calls_that_the_replica_lacked_are_on_its_ledger_once_they_end(open_pair: OpenPair) -> None:
    pair, store = open_pair(synchronous=False)
    assert told_by_doctor(pair) == (Level.WARN, "1, none of which a commit waits for")
    batch_no = store_builders.submit(store, store_builders.lines(8), budget=10_000)
    pair.await_replica()
    pair.part_replica()
    requests = store_builders.held(store, batch_no)
    assert len(store_builders.reserve(store, requests).granted) == 8  # confirmed: their calls are made
    take_over(pair, store)
    written = write(store, requests[:6])  # two calls died with their worker
    assert len(written) == 6
    assert len(store_builders.outcomes(store, batch_no)) == 6
    assert store_builders.row(store, batch_no)["spent"] == 6 * 30
    store_builders.check_ledger(store, batch_no)
    # The two are not on the ledger: they are called again as if it were the first time.
    again = [one for one in store_builders.held(store, batch_no) if one.id in {r.id for r in requests[6:]}]
    assert [one.attempts for one in again] == [0, 0]
    assert len(store_builders.reserve(store, again).granted) == 2
    write(store, again)
    made = [store_builders.attempts(store, batch_no, line) for line in range(1, 9)]
    assert made == [[("succeeded", 30)]] * 8
    store_builders.check_ledger(store, batch_no)


def test_what_a_synchronous_replica_confirmed_outlives_the_primary(open_pair: OpenPair) -> None:
    pair, store = open_pair(synchronous=True)
    assert told_by_doctor(pair) == (Level.OK, "1; a commit waits for *")
    batch_no = store_builders.submit(store, store_builders.lines(4), budget=10_000)
    requests = store_builders.held(store, batch_no)
    assert len(store_builders.reserve(store, requests).granted) == 4
    take_over(pair, store)
    assert told_by_doctor(pair) == (Level.WARN, "none receives from the primary")
    assert [store_builders.attempts(store, batch_no, line) for line in range(1, 5)] == [[("sent", 0)]] * 4
    write(store, requests)
    store_builders.check_ledger(store, batch_no)


def test_no_call_is_made_while_the_synchronous_replica_is_away(open_pair: OpenPair) -> None:
    pair, store = open_pair(synchronous=True)
    batch_no = store_builders.submit(store, store_builders.lines(4), budget=10_000)
    requests = store_builders.held(store, batch_no)
    pair.part_replica()
    with ThreadPoolExecutor(1) as pool:
        reserving = pool.submit(store_builders.reserve, store, requests)
        wait_until(pair.commits_wait, timeout_s=240)
        pair.kill_primary()
        with pytest.raises(SQLAlchemyError):
            reserving.result(240)
    pair.promote()
    store.close()
    assert store_builders.states(store, batch_no) == {"held": 4}
    assert [store_builders.attempts(store, batch_no, line) for line in range(1, 5)] == [[]] * 4


def told_by_doctor(pair: PostgresPair) -> tuple[Level, str]:
    [found] = replication(Settings.model_validate({"store": {"url": pair.url}}))
    return found.level, found.text.partition(":")[0]


def take_over(pair: PostgresPair, store: Store) -> None:
    pair.kill_primary()
    pair.promote()
    store.close()  # a worker would fail once with each connection to the old primary, and try again


def write(store: Store, requests: list[HeldRequest]) -> list[Settlement]:
    """Settle the calls of these requests as a dispatch process does: again until the store answers."""
    written: list[Settlement] = []

    async def run() -> None:
        writer = SettlementWriter(store, "worker", written.append)
        running = asyncio.create_task(writer.run())
        for one in requests:
            writer.add(replace(store_builders.settlement(one), model="small"))
        await writer.idle()
        running.cancel()

    asyncio.run(asyncio.wait_for(run(), 240))
    return written
