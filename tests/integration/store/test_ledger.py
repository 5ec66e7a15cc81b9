"""The ledger: money is reserved before a call and settled after it, and never exceeds the budget."""

import random
from dataclasses import replace

import pytest
from sqlalchemy import select

from router_core.pricing import Usage
from tasks.store import ledger, reservations, sweep
from tasks.store.batch_options import BatchOptions
from tasks.store.engine import Store
from tasks.store.tables import attempt
from tasks.store.values import Requeue
from tasks.store.waiting import over_budget
from tests.support import store_builders
from tests.support.comparisons import assert_batch, assert_fields
from tests.support.invariants import check_budget


def test_a_reservation_becomes_the_real_cost(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(4), budget=1_000)
    requests = store_builders.held(store, batch_no)
    assert len(store_builders.reserve(store, requests).granted) == 4
    assert_batch(store_builders.row(store, batch_no), reserved=400)
    store_builders.settle(store, requests, cost=30)
    row = store_builders.row(store, batch_no)
    assert_batch(row, spent=120, reserved=0, status="completed")
    store_builders.check_ledger(store, batch_no)


def test_a_call_of_unknown_cost_is_charged_in_full(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(1))
    requests = store_builders.held(store, batch_no)
    store_builders.reserve(store, requests, worst=70)
    store_builders.settle(store, requests, cost=None)
    assert store_builders.attempts(store, batch_no, 1) == [("succeeded", 70)]


def test_an_answer_that_claims_to_cost_more_than_its_worst_case_is_charged_that(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(1), budget=100)
    requests = store_builders.held(store, batch_no)
    store_builders.reserve(store, requests, worst=100)
    store_builders.settle(store, requests, cost=10**12)
    assert store_builders.attempts(store, batch_no, 1) == [("succeeded", 100)]


@pytest.mark.parametrize(
    ("budget", "charged"), [(None, 1_000), (5_000, 1_000), (700, 500), (300, 100)], ids=str
)
def test_a_bill_above_the_worst_case_is_charged_as_far_as_the_budget_has_room(
    store: Store, budget: int | None, charged: int
) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(3), budget=budget)
    requests = store_builders.held(store, batch_no)
    store_builders.reserve(store, requests, worst=100)
    bill = replace(store_builders.settlement(requests[0], cost=1_000), is_bill=True)
    with store.write() as connection:
        ledger.settle(connection, batch_no, [bill])
    assert store_builders.attempts(store, batch_no, 1) == [("succeeded", charged)]
    store_builders.check_ledger(store, batch_no)


def test_several_bills_above_the_worst_case_share_the_room(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(3), budget=1_000)
    requests = store_builders.held(store, batch_no)
    store_builders.reserve(store, requests, worst=100)
    bills = [replace(store_builders.settlement(one, cost=500), is_bill=True) for one in requests]
    with store.write() as connection:
        ledger.settle(connection, batch_no, bills)
    costs = [store_builders.attempts(store, batch_no, number)[0][1] for number in (1, 2, 3)]
    assert (sorted(costs), sum(costs)) == ([100, 400, 500], 1_000)
    store_builders.check_ledger(store, batch_no)


def test_a_bill_above_the_worst_case_leaves_the_payers_budget_whole(store: Store) -> None:
    payer_no = store_builders.submit(store, store_builders.lines(1), budget=250)
    batch_no = store_builders.submit(store, store_builders.lines(1), payer_no=payer_no)
    requests = store_builders.held(store, batch_no)
    store_builders.reserve(store, requests, worst=100)
    bill = replace(store_builders.settlement(requests[0], cost=1_000), is_bill=True)
    with store.write() as connection:
        ledger.settle(connection, batch_no, [bill])
    assert store_builders.attempts(store, batch_no, 1) == [("succeeded", 250)]
    store_builders.check_ledger(store, payer_no)


def test_what_a_call_used_is_on_the_ledger_by_kind(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(2))
    requests = store_builders.held(store, batch_no)
    store_builders.reserve(store, requests)
    usage = Usage(input=3, cached_input=7, output=5, reasoning=2, tier="flex").as_row()
    known = replace(store_builders.settlement(requests[0]), usage=usage)
    with store.write() as connection:
        ledger.settle(connection, batch_no, [known, store_builders.settlement(requests[1])])
        query = select(attempt.c.usage, attempt.c.usage.is_(None)).order_by(attempt.c.request_id)
        rows = [tuple(row) for row in connection.execute(query)]
    kinds = {"input": 3, "cached_input": 7, "output": 5, "reasoning": 2, "requests": 1, "tier": "flex"}
    assert rows == [(kinds, False), (None, True)]


def test_what_may_fit_later_waits_and_what_never_will_is_refused(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(3), budget=250)
    first, second, third = store_builders.held(store, batch_no)
    calls = [
        store_builders.reservation(first, worst=150),
        store_builders.reservation(second, worst=150),
        store_builders.reservation(third, worst=251),
    ]
    with store.write() as connection:
        got = reservations.reserve(connection, batch_no, calls, owner="worker")
    assert_fields(got, granted={first.id}, waiting={second.id}, refused={third.id})
    store_builders.settle(store, [first], cost=50)
    assert store_builders.reserve(store, [second], worst=150).granted == {second.id}
    store_builders.settle(store, [second], cost=150)
    assert store_builders.reserve(store, [third], worst=51).refused == {third.id}
    store_builders.check_ledger(store, batch_no)


def test_a_worker_that_lost_a_request_and_holds_it_again_reserves_one_call_of_it(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(1))
    [before] = store_builders.held(store, batch_no, lease_s=-1)
    sweep.expire(store)
    sweep.regroup(store)
    [now] = store_builders.held(store, batch_no)
    assert store_builders.reserve(store, [now]).granted
    # What still waits in the same process from before must not take the call's reservation for its own.
    assert store_builders.reserve(store, [before]).lost
    assert store_builders.reserve(store, [now]).granted, "asked again after a COMMIT whose reply was lost"
    assert_batch(store_builders.row(store, batch_no), calls=1)


def test_the_budget_is_never_passed_by_300_reservations_at_once(store: Store) -> None:
    batch_no = store_builders.submit(
        store, store_builders.lines(300), budget=1_000, options=BatchOptions(group_size=300)
    )
    requests = store_builders.held(store, batch_no)

    def spend(worker: int) -> int:
        mine, paid = requests[worker::10], 0
        for one in mine:
            if store_builders.reserve(store, [one], worst=100).granted:
                check_budget(store_builders.row(store, batch_no))
                store_builders.settle(store, [one], cost=random.Random(one.id).randint(0, 100))
                paid += 1
        return paid

    assert sum(store_builders.at_once(10, spend)) >= 10
    store_builders.check_ledger(store, batch_no)


def test_calls_that_a_batch_pays_for_count_against_its_budget_as_well(store: Store) -> None:
    payer = store_builders.submit(store, store_builders.lines(2), budget=250)
    judge = store_builders.submit(store, store_builders.lines(3), budget=1_000, payer_no=payer)
    first, second, third = store_builders.held(store, judge)
    assert store_builders.reserve(store, [first]).granted
    one = store_builders.held(store, payer)[0]
    assert store_builders.reserve(store, [one]).granted
    assert store_builders.reserve(store, [second]).waiting  # 200 of 250 are reserved by now
    store_builders.settle(store, [first], cost=None)
    for batch_no in (payer, judge):
        assert_batch(store_builders.row(store, batch_no), spent=100)
    assert store_builders.reserve(store, [third], worst=200).refused
    store_builders.expire_leases(store)
    sweep.expire(store)
    assert_batch(store_builders.row(store, payer), spent=200, reserved=0)
    for batch_no in (payer, judge):
        store_builders.check_ledger(store, batch_no)


def test_budgets_that_pay_for_each_other_are_shared_by_many_at_once(store: Store) -> None:
    payer = store_builders.submit(
        store, store_builders.lines(40), budget=1_000, options=BatchOptions(group_size=40)
    )
    judge = store_builders.submit(
        store, store_builders.lines(40), payer_no=payer, options=BatchOptions(group_size=40)
    )
    both = [store_builders.held(store, payer), store_builders.held(store, judge)]

    def spend(worker: int) -> None:
        for one in both[worker % 2][worker // 2 :: 4]:
            if store_builders.reserve(store, [one], worst=100).granted:
                store_builders.settle(store, [one], cost=40)

    store_builders.at_once(8, spend)
    for batch_no in (payer, judge):
        store_builders.check_ledger(store, batch_no)
    assert store_builders.row(store, payer)["spent"] >= 900


def test_a_request_that_is_no_longer_held_gets_no_money(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(2))
    requests = store_builders.held(store, batch_no, owner="gone")
    assert store_builders.reserve(store, requests, owner="other").lost == {one.id for one in requests}
    assert_batch(store_builders.row(store, batch_no), reserved=0)


def test_a_reservation_whose_reply_was_lost_is_found_again_and_made_once(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(3), budget=250)
    requests = store_builders.held(store, batch_no)
    first = store_builders.reserve(store, requests)
    again = store_builders.reserve(store, requests)
    assert again == first
    assert len(first.granted) == 2
    assert_batch(store_builders.row(store, batch_no), calls=2, reserved=200)
    store_builders.settle(store, [one for one in requests if one.id in first.granted], cost=30)
    assert store_builders.reserve(store, requests[:2]).lost == first.granted
    store_builders.check_ledger(store, batch_no)


def test_a_reservation_is_not_found_again_by_another_worker(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(1))
    requests = store_builders.held(store, batch_no)
    store_builders.reserve(store, requests)
    assert store_builders.reserve(store, requests, owner="other").lost == {requests[0].id}


def test_a_request_is_settled_once(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(1))
    requests = store_builders.held(store, batch_no)
    store_builders.reserve(store, requests)
    store_builders.settle(store, requests, cost=30)
    store_builders.settle(store, requests, next=store_builders.REFUSED, cost=99)
    assert store_builders.outcomes(store, batch_no) == {1: "succeeded"}
    assert_batch(store_builders.row(store, batch_no), spent=30)
    store_builders.check_ledger(store, batch_no)


def test_a_request_that_is_settled_by_many_at_once_has_one_outcome(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(4))
    requests = store_builders.held(store, batch_no)
    store_builders.reserve(store, requests)
    store_builders.at_once(6, lambda n: store_builders.settle(store, requests, cost=n))
    row = store_builders.row(store, batch_no)
    assert_batch(row, succeeded=4, status="completed")
    store_builders.check_ledger(store, batch_no)


def test_a_retry_waits_for_its_time_and_its_calls_add_up(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(1))
    requests = store_builders.held(store, batch_no)
    store_builders.reserve(store, requests)
    store_builders.settle(store, requests, next=Requeue(after_s=3600), cost=10)
    assert store_builders.states(store, batch_no) == {"ready": 1}
    assert store_builders.attempts(store, batch_no, 1) == [("failed", 10)]
    store_builders.check_ledger(store, batch_no)


@pytest.mark.parametrize(("again", "tries"), [(Requeue(0), 1), (Requeue(0, model="large"), 0)])
def test_tries_count_per_model(store: Store, again: Requeue, tries: int) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(1))
    requests = store_builders.held(store, batch_no)
    store_builders.reserve(store, requests)
    store_builders.settle(store, requests, next=again, cost=0)
    assert sweep.regroup(store) == 1
    [one] = store_builders.held(store, batch_no)
    assert_fields(one, attempts=1, model_attempts=tries, model=again.model or "small")


def test_the_end_of_a_request_that_was_lost_is_not_that_of_the_same_request_held_again(
    store: Store,
) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(1))
    [lost] = store_builders.held(store, batch_no)
    store_builders.expire_leases(store)
    sweep.expire(store)
    sweep.regroup(store)
    [again] = store_builders.held(store, batch_no)
    with store.write() as connection:
        ends = [store_builders.without_call(one, over_budget("small")) for one in (lost, again)]
        assert ledger.end_without_call(connection, batch_no, ends[:1], owner="worker") == set()
        assert ledger.end_without_call(connection, batch_no, ends, owner="worker") == {again.id}
