"""Requests that wait for money wait in the store, and are woken, or ended, by whatever changes the money."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select

from tasks.store import control, reservations, sweep, waiting
from tasks.store.engine import Store
from tasks.store.tables import request
from tasks.store.values import HeldRequest, ReservationResult
from tests.support import store_builders
from tests.support.comparisons import assert_batch


def put_off(store: Store, requests: Iterable[HeldRequest], *, worst: int = 100) -> ReservationResult:
    calls = [store_builders.reservation(one, worst=worst) for one in requests]
    with store.write() as connection:
        return reservations.put_off(connection, calls[0].request_id >> 32, calls, owner="worker")


def waits(store: Store, batch_no: int) -> int:
    with store.read() as connection:
        return waiting.count(connection, batch_no)


def tied_up(store: Store, lines: int = 5, *, budget: int = 250) -> tuple[int, list[HeldRequest]]:
    """A batch with two calls of 100 in flight; its other requests wait. Returns its number, and the calls."""
    batch_no = store_builders.submit(store, store_builders.lines(lines), budget=budget)
    requests = store_builders.held(store, batch_no)
    assert store_builders.reserve(store, requests[:2]).granted == {one.id for one in requests[:2]}
    assert put_off(store, requests[2:]).waiting == {one.id for one in requests[2:]}
    return batch_no, requests[:2]


def test_what_waits_for_money_is_in_no_worker_and_in_no_chunk(store: Store) -> None:
    batch_no, _ = tied_up(store)
    assert waits(store, batch_no) == 3
    assert sweep.regroup(store) == 0
    with store.read() as connection:
        rows = connection.execute(select(request.c.state, request.c.chunk_id, request.c.waits_for)).all()
    assert [tuple(row) for row in rows if row.state != "held"] == [("ready", None, 100)] * 3


def test_money_that_a_call_gives_back_wakes_as_many_as_it_does_for(store: Store) -> None:
    batch_no, calls = tied_up(store)
    store_builders.settle(store, calls[:1], cost=30)
    assert waits(store, batch_no) == 2
    assert sweep.regroup(store) == 1
    [woken] = store_builders.held(store, batch_no)
    assert store_builders.reserve(store, [woken]).granted == {woken.id}


def test_what_can_no_longer_fit_ends_with_the_call_that_spent_the_money(store: Store) -> None:
    batch_no, calls = tied_up(store)
    store_builders.settle(store, calls, cost=90)
    assert waits(store, batch_no) == 0
    assert_batch(store_builders.row(store, batch_no), status="completed", failed=3, budget_stops=3)
    store_builders.check_ledger(store, batch_no)


def test_the_charge_of_a_lost_call_ends_what_it_leaves_no_money_for(store: Store) -> None:
    batch_no, _ = tied_up(store)
    store_builders.expire_leases(store)
    sweep.expire(store)
    assert waits(store, batch_no) == 0
    assert_batch(store_builders.row(store, batch_no), spent=200, reserved=0, failed=3, budget_stops=3)


def test_money_that_came_free_before_the_lock_makes_nothing_wait(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(2), budget=100)
    requests = store_builders.held(store, batch_no)
    store_builders.reserve(store, requests[:1])
    store_builders.settle(store, requests[:1], cost=0)
    result = put_off(store, requests[1:])
    assert (result.waiting, result.refused, result.lost) == (frozenset(), frozenset(), frozenset())
    assert store_builders.reserve(store, requests[1:]).granted == {requests[1].id}


def test_nothing_waits_that_its_worker_does_not_hold(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(3), budget=150)
    requests = store_builders.held(store, batch_no)
    store_builders.reserve(store, requests[:1])
    store_builders.expire_leases(store)
    sweep.expire(store)
    assert put_off(store, requests[1:]).lost == {one.id for one in requests[1:]}
    assert waits(store, batch_no) == 0


def test_money_of_a_payer_wakes_the_other_batches_that_it_pays_for(store: Store) -> None:
    payer_no = store_builders.submit(store, store_builders.lines(1), budget=100)
    batch_no = store_builders.submit(store, store_builders.lines(1), payer_no=payer_no)
    [call], [other] = store_builders.held(store, payer_no), store_builders.held(store, batch_no)
    store_builders.reserve(store, [call])
    assert put_off(store, [other]).waiting == {other.id}
    sweep.wake(store)
    assert waits(store, batch_no) == 1
    store_builders.settle(store, [call], cost=0)
    sweep.wake(store)
    assert waits(store, batch_no) == 0
    assert sweep.regroup(store) == 1


def test_a_smaller_call_is_not_held_up_by_a_larger_one_before_it(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(4), budget=250)
    requests = store_builders.held(store, batch_no)
    store_builders.reserve(store, requests[:2])
    put_off(store, requests[2:3], worst=200)
    put_off(store, requests[3:], worst=60)
    store_builders.settle(store, requests[:1], cost=50)
    with store.read() as connection:
        mine = select(request.c.id).where(request.c.waits_for.is_not(None))
        assert connection.execute(mine).scalars().all() == [requests[2].id]


def test_what_waits_for_money_is_cancelled_with_its_batch_and_sent_again_by_retry(store: Store) -> None:
    batch_no, calls = tied_up(store)
    batch_id = store_builders.row(store, batch_no)["id"]
    with store.write() as connection:
        assert control.cancel(connection, batch_id) == 3
    assert waits(store, batch_no) == 0
    store_builders.settle(store, calls, cost=0)
    assert_batch(store_builders.row(store, batch_no), status="cancelled", cancelled=3)
    with store.write() as connection:
        assert control.retry(connection, batch_id, budget=None) == 3
    assert sweep.regroup(store) == 3
