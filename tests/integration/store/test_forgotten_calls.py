"""A store that forgot what it had confirmed, as an asynchronous replica does that is promoted."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

import pytest

from tasks.stages.dispatch.repository import DispatchRepository
from tasks.stages.dispatch.settlement_writer import SettlementWriter
from tasks.store.engine import Store
from tasks.store.values import HeldRequest, Requeue, Settlement
from tests.support import store_builders
from tests.support.comparisons import assert_batch


def calls(store: Store, batch_no: int) -> list[HeldRequest]:
    """Requests whose calls were made, and of whose reservations the store knows nothing."""
    return store_builders.held(store, batch_no)


def settle(store: Store, *settlements: Settlement) -> None:
    DispatchRepository(store, "worker").settle(settlements[0].batch_no, settlements)


def answered(one: HeldRequest, *, cost: int | None = 30, worst: int = 0) -> Settlement:
    return replace(store_builders.settlement(one, cost=cost), model="small", worst=worst)


def test_a_forgotten_call_is_entered_and_charged_and_its_answer_counts(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(2), budget=1_000)
    settle(store, *map(answered, calls(store, batch_no)))
    assert store_builders.attempts(store, batch_no, 1) == [("succeeded", 30)]
    assert store_builders.outcomes(store, batch_no) == {1: "succeeded", 2: "succeeded"}
    assert_batch(store_builders.row(store, batch_no), spent=60, reserved=0, calls=2, status="completed")
    store_builders.check_ledger(store, batch_no)


def test_it_is_entered_once(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(2))
    settlements = [answered(one) for one in calls(store, batch_no)]
    settle(store, *settlements)
    settle(store, *settlements)
    assert store_builders.attempts(store, batch_no, 1) == [("succeeded", 30)]
    store_builders.check_ledger(store, batch_no)


def test_a_forgotten_call_of_unknown_cost_is_charged_its_worst_case(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(1))
    settle(store, *(answered(one, cost=None, worst=70) for one in calls(store, batch_no)))
    assert store_builders.attempts(store, batch_no, 1) == [("succeeded", 70)]
    store_builders.check_ledger(store, batch_no)


def test_forgotten_calls_never_exceed_the_budget(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(2), budget=50)
    settle(store, *(replace(answered(one), is_bill=True) for one in calls(store, batch_no)))
    costs = [store_builders.attempts(store, batch_no, line)[0][1] for line in (1, 2)]
    assert sorted(costs) == [20, 30]
    store_builders.check_ledger(store, batch_no)


def test_a_request_whose_forgotten_call_failed_stays_where_the_store_has_it(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(1), budget=1_000)
    [one] = calls(store, batch_no)
    settle(store, replace(answered(one, cost=5), next=Requeue(after_s=0, model="large"), state="failed"))
    assert store_builders.states(store, batch_no) == {"held": 1}
    assert_batch(store_builders.row(store, batch_no), spent=5, reserved=0, calls=1)
    # Once its lease has run out it is called again, as the second call.
    again = one._replace(attempts=1)
    assert store_builders.reserve(store, [again]).granted == {one.id}
    settle(store, answered(again))
    assert [cost for _, cost in store_builders.attempts(store, batch_no, 1)] == [5, 30]
    store_builders.check_ledger(store, batch_no)


def test_settlements_of_a_batch_that_is_gone_hold_up_no_others(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(1))
    [one] = calls(store, batch_no)
    store_builders.reserve(store, [one])
    gone = replace(answered(one), batch_no=batch_no + 1000, request_id=(batch_no + 1000) << 32 | 1)
    without_call = store_builders.without_call(one, Requeue(after_s=0))
    also_gone = replace(without_call, batch_no=batch_no + 1001, request_id=(batch_no + 1001) << 32 | 1)
    written: list[Settlement] = []

    async def write() -> None:
        writer = SettlementWriter(store, "worker", written.append)
        running = asyncio.create_task(writer.run())
        for settlement in (gone, also_gone, answered(one)):
            writer.add(settlement)
        await writer.idle()
        running.cancel()

    with caplog.at_level(logging.ERROR):
        asyncio.run(asyncio.wait_for(write(), 240))
    assert len(written) == 3
    assert store_builders.outcomes(store, batch_no) == {1: "succeeded"}
    assert "1 results are of a batch that is not in the store" in caplog.text
