"""A batch that runs is paused, goes on, and gets another budget."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update

from tasks.errors import UsageError
from tasks.store import control, outbox, reservations, steering, sweep, turns, waiting
from tasks.store.engine import Store
from tasks.store.tables import chunk
from tests.support import store_builders
from tests.support.comparisons import assert_batch


def change(store: Store, batch_no: int, how: str, *budget: int) -> None:
    with store.write() as connection:
        getattr(steering, how)(connection, store_builders.row(store, batch_no)["id"], *budget)


def cancel(store: Store, batch_no: int) -> None:
    with store.write() as connection:
        control.cancel(connection, store_builders.row(store, batch_no)["id"])


def announced(store: Store) -> int:
    """Publish what is in the outbox; returns how many messages there were."""
    return outbox.relay(store, lambda _: None)


def turn_of(store: Store, batch_no: int) -> dict[int, float]:
    with store.read() as connection:
        row = connection.execute(select(chunk).where(chunk.c.batch_no == batch_no).limit(1)).mappings().one()
        return turns.waiting(connection, row["id"], row["epoch"], stage=row["stage"]).weights


def put_off(store: Store, batch_no: int, requests: list[store_builders.HeldRequest]) -> frozenset[int]:
    calls = [store_builders.reservation(one) for one in requests]
    with store.write() as connection:
        return reservations.put_off(connection, batch_no, calls, owner="worker").waiting


def test_nothing_of_a_paused_batch_is_claimed_or_announced_until_it_goes_on(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(8))
    assert announced(store) == 2
    assert turn_of(store, batch_no) == {batch_no: 4.0}
    change(store, batch_no, "pause")
    assert turn_of(store, batch_no) == {}
    with store.write() as connection:
        connection.execute(update(chunk).values(published_at=1))
    assert sweep.republish(store, {}, after_s=0) == 0
    change(store, batch_no, "resume")
    assert turn_of(store, batch_no) == {batch_no: 4.0}
    assert announced(store) == 2


@pytest.mark.parametrize("budget", [None, 1_000])
def test_what_a_worker_holds_of_a_paused_batch_waits_in_the_store(store: Store, budget: int | None) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(4), budget=budget)
    requests = store_builders.held(store, batch_no)
    store_builders.reserve(store, requests[:1])
    change(store, batch_no, "pause")
    ids = {one.id for one in requests[1:]}
    assert store_builders.reserve(store, requests[1:]).waiting == ids
    assert put_off(store, batch_no, requests[1:]) == ids
    store_builders.settle(store, requests[:1])
    sweep.wake(store)
    assert sweep.regroup(store) == 0
    assert_batch(store_builders.row(store, batch_no), succeeded=1, calls=1, status="in_progress")
    change(store, batch_no, "resume")
    assert sweep.regroup(store) == 3
    assert len(store_builders.reserve(store, store_builders.held(store, batch_no)).granted) == 3


def test_a_higher_budget_wakes_as_many_as_it_does_for(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(4), budget=100)
    requests = store_builders.held(store, batch_no)
    store_builders.reserve(store, requests[:1])
    assert len(put_off(store, batch_no, requests[1:])) == 3
    change(store, batch_no, "set_budget", 300)
    with store.read() as connection:
        assert waiting.count(connection, batch_no) == 1
    assert sweep.regroup(store) == 2
    woken = [one for one in store_builders.held(store, batch_no) if one not in requests]
    assert len(store_builders.reserve(store, woken).granted) == 2


def test_a_budget_is_never_less_than_what_is_spent_and_reserved(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(2), budget=1_000)
    requests = store_builders.held(store, batch_no)
    store_builders.reserve(store, requests)
    store_builders.settle(store, requests[:1], cost=60)
    with pytest.raises(UsageError, match=r"spent \$0.0001"):
        change(store, batch_no, "set_budget", 159)
    change(store, batch_no, "set_budget", 160)
    store_builders.settle(store, requests[1:], cost=100)
    store_builders.check_ledger(store, batch_no)


@pytest.mark.parametrize("how", ["pause", "resume", "set_budget"])
def test_a_batch_that_has_ended_is_refused(store: Store, how: str) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(1))
    requests = store_builders.held(store, batch_no)
    store_builders.reserve(store, requests)
    store_builders.settle(store, requests)
    with pytest.raises(UsageError, match="completed"):
        change(store, batch_no, how, *([5] if how == "set_budget" else []))


def test_a_paused_batch_that_is_cancelled_ends_though_the_worker_of_its_last_call_dies(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(2))
    store_builders.reserve(store, store_builders.held(store, batch_no)[:1])
    change(store, batch_no, "pause")
    cancel(store, batch_no)
    store_builders.expire_leases(store)
    sweep.expire(store)
    sweep.regroup(store)
    assert_batch(store_builders.row(store, batch_no), status="cancelled", cancelled=2)


def test_a_batch_that_ended_while_paused_goes_on_when_it_is_retried(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(2))
    change(store, batch_no, "pause")
    cancel(store, batch_no)
    with store.write() as connection:
        control.retry(connection, store_builders.row(store, batch_no)["id"], budget=None)
    assert sweep.regroup(store) == 2
    assert turn_of(store, batch_no) == {batch_no: 4.0}


def test_what_a_paused_batch_pays_for_is_paused_with_it(store: Store) -> None:
    payer_no = store_builders.submit(store, store_builders.lines(1))
    explored = store_builders.submit(store, store_builders.lines(4), payer_no=payer_no)
    change(store, payer_no, "pause")
    assert turn_of(store, explored) == {}
    change(store, payer_no, "resume")
    assert turn_of(store, explored) == {payer_no: 4.0, explored: 4.0}


def test_a_higher_budget_wakes_what_the_batch_pays_for_as_well(store: Store) -> None:
    payer_no = store_builders.submit(store, store_builders.lines(1), budget=100)
    explored = store_builders.submit(store, store_builders.lines(4), payer_no=payer_no)
    store_builders.reserve(store, store_builders.held(store, payer_no))
    assert len(put_off(store, explored, store_builders.held(store, explored))) == 4
    change(store, payer_no, "set_budget", 300)
    assert sweep.regroup(store) == 2
