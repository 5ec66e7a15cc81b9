"""Purses: processes reserve without the batch's lock, and whoever needs the exact budget takes them back."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import pytest
from sqlalchemy import case, func, select, update

from tasks.stages.dispatch.repository import DispatchRepository
from tasks.store import batches, control, steering, sweep
from tasks.store.batch_options import BatchOptions
from tasks.store.engine import Store
from tasks.store.tables import attempt, batch, chunk
from tasks.store.unlocked import folding
from tasks.store.unlocked.tables import purse
from tasks.store.values import HeldRequest, Requeue, ReservationResult
from tests.support import store_builders
from tests.support.comparisons import assert_batch

pytestmark = pytest.mark.postgres
Worker = Callable[[str], DispatchRepository]


def reserve(
    process: DispatchRepository, requests: Sequence[HeldRequest], *, worst: int = 100
) -> ReservationResult:
    calls = [store_builders.reservation(one, worst=worst) for one in requests]
    return process.reserve(requests[0].batch_no, calls)


def settle(process: DispatchRepository, requests: Sequence[HeldRequest], *, cost: int | None = 30) -> None:
    process.settle(requests[0].batch_no, [store_builders.settlement(one, cost=cost) for one in requests])


def purses_of(store: Store, batch_no: int) -> dict[str, int | None]:
    with store.read() as connection:
        query = select(purse.c.owner, purse.c.amount).where(purse.c.batch_no == batch_no)
        return dict(connection.execute(query).all())


def batch_id(store: Store, batch_no: int) -> str:
    return str(store_builders.row(store, batch_no)["id"])


def taken(store: Store, batch_no: int) -> int:
    """What the calls on the ledger cost, and what those in flight may cost."""
    amount = case((attempt.c.state == "sent", attempt.c.reserved), else_=attempt.c.cost)
    query = select(func.coalesce(func.sum(amount), 0)).where(attempt.c.batch_no == batch_no)
    with store.read() as connection:
        return int(connection.execute(query).scalar_one())


def held(store: Store, *, lines: int, budget: int | None, owner: str = "ann") -> list[HeldRequest]:
    """The requests of a new batch, held by this process in chunks of four."""
    batch_no = store_builders.submit(store, store_builders.lines(lines), budget=budget)
    return store_builders.held(store, batch_no, owner=owner)


@pytest.mark.parametrize("budget", [None, 100_000])
def test_a_process_with_a_purse_reserves_and_settles_while_others_have_the_batch_locked(
    store: Store, worker: Worker, budget: int | None
) -> None:
    requests, ann = held(store, lines=8, budget=budget), worker("ann")
    batch_no = requests[0].batch_no
    assert len(reserve(ann, requests[:1]).granted) == 1
    with store.write() as connection:
        batches.lock(connection, batch_no)
        assert len(reserve(ann, requests[1:]).granted) == 7
        settle(ann, requests)
    store_builders.check_ledger(store, batch_no)
    assert folding.fold_batch(store, batch_no)
    assert_batch(
        store_builders.row(store, batch_no), status="completed", calls=8, spent=240, reserved=0, succeeded=8
    )


def test_money_in_a_purse_is_reserved_and_whoever_is_short_of_money_takes_it_back(
    store: Store, worker: Worker
) -> None:
    requests, ann = held(store, lines=8, budget=1_000), worker("ann")
    batch_no = requests[0].batch_no
    reserve(ann, requests[:1])
    assert purses_of(store, batch_no) == {"ann": 112}
    assert_batch(store_builders.row(store, batch_no), reserved=212)
    # 788 is left beside the purse, 900 with it.
    result = reserve(ann, requests[1:], worst=125)
    assert len(result.granted) == 7
    assert purses_of(store, batch_no) == {}
    assert_batch(store_builders.row(store, batch_no), reserved=100 + 7 * 125)
    store_builders.check_ledger(store, batch_no)


def test_a_purse_without_enough_money_is_filled_again(store: Store, worker: Worker) -> None:
    requests, ann = held(store, lines=8, budget=10_000), worker("ann")
    for one in requests:
        assert reserve(ann, [one], worst=900).granted == {one.id}
    store_builders.check_ledger(store, requests[0].batch_no)


def test_the_purse_of_a_process_that_died_is_no_obstacle_to_the_end_of_its_batch(
    store: Store, worker: Worker
) -> None:
    requests, ann = held(store, lines=4, budget=100_000), worker("ann")
    batch_no = requests[0].batch_no
    reserve(worker("dead"), store_builders.held(store, batch_no, owner="dead") or requests[:1])
    reserve(ann, requests)
    settle(ann, requests)
    folding.fold_batch(store, batch_no)
    assert purses_of(store, batch_no) == {}
    assert_batch(store_builders.row(store, batch_no), status="completed", reserved=0)


def test_the_call_of_a_process_that_died_is_charged_and_its_purse_serves_others(
    store: Store, worker: Worker
) -> None:
    requests = held(store, lines=4, budget=1_000, owner="dead")
    batch_no, dead = requests[0].batch_no, worker("dead")
    reserve(dead, requests[:1])
    reserve(dead, requests[1:2])
    store_builders.expire_leases(store)
    sweep.expire(store)
    sweep.regroup(store)
    assert reserve(dead, requests[2:3]).lost == {requests[2].id}
    again = store_builders.held(store, batch_no, owner="ann")
    assert len(reserve(worker("ann"), again, worst=200).granted) == 4
    store_builders.check_ledger(store, batch_no)


def test_a_purse_pays_for_no_request_whose_chunk_another_process_has_claimed(
    store: Store, worker: Worker
) -> None:
    requests, ann = held(store, lines=8, budget=100_000), worker("ann")
    batch_no, chunk_id = requests[0].batch_no, requests[-1].chunk_id
    reserve(ann, requests[:1])
    with store.write() as connection:
        mine = update(chunk).where(chunk.c.id == chunk_id)
        connection.execute(mine.values(owner="bob", epoch=chunk.c.epoch + 1))
    assert reserve(ann, requests[1:]).lost == {one.id for one in requests if one.chunk_id == chunk_id}
    store_builders.check_ledger(store, batch_no)


def test_nothing_is_reserved_from_a_purse_after_a_pause(store: Store, worker: Worker) -> None:
    requests, ann = held(store, lines=4, budget=None), worker("ann")
    batch_no = requests[0].batch_no
    reserve(ann, requests[:1])
    with store.write() as connection:
        steering.pause(connection, batch_id(store, batch_no))
    assert reserve(ann, requests[1:]).granted == set()
    with store.write() as connection:
        steering.resume(connection, batch_id(store, batch_no))
    assert len(reserve(ann, requests[1:]).granted) == 3


def test_a_new_budget_bounds_the_purses_that_were_filled_before(store: Store, worker: Worker) -> None:
    requests, ann = held(store, lines=4, budget=None), worker("ann")
    batch_no = requests[0].batch_no
    reserve(ann, requests[:1])
    assert purses_of(store, batch_no) == {"ann": None}
    with store.write() as connection:
        steering.set_budget(connection, batch_id(store, batch_no), 250)
    assert len(reserve(ann, requests[1:]).granted) == 1
    store_builders.check_ledger(store, batch_no)


def test_a_budget_may_be_lowered_to_what_is_spent_and_in_flight_whatever_purses_hold(
    store: Store, worker: Worker
) -> None:
    requests, ann = held(store, lines=4, budget=100_000), worker("ann")
    batch_no = requests[0].batch_no
    reserve(ann, requests[:1])
    with store.write() as connection:
        steering.set_budget(connection, batch_id(store, batch_no), 100)
    assert len(reserve(ann, requests[1:]).granted) == 0
    assert_batch(store_builders.row(store, batch_no), reserved=100, budget=100)


@pytest.mark.parametrize("changed", [{"budget": 150}, {"paused_at": 1}, {"status": "cancelling"}])
def test_what_a_command_of_the_version_before_changes_holds_for_purses_without_a_bound(
    store: Store, worker: Worker, changed: dict[str, object]
) -> None:
    requests, ann = held(store, lines=4, budget=None), worker("ann")
    reserve(ann, requests[:1])
    with store.write() as connection:
        connection.execute(update(batch).where(batch.c.no == requests[0].batch_no).values(**changed))
    assert reserve(ann, requests[1:]).granted == set()


def test_a_cancelled_batch_reserves_nothing_and_has_no_purse(store: Store, worker: Worker) -> None:
    requests, ann = held(store, lines=4, budget=100_000), worker("ann")
    batch_no = requests[0].batch_no
    reserve(ann, requests[:1])
    with store.write() as connection:
        control.cancel(connection, batch_id(store, batch_no))
    assert reserve(ann, requests[1:]).lost == {one.id for one in requests[1:]}
    assert purses_of(store, batch_no) == {}
    assert_batch(store_builders.row(store, batch_no), reserved=100, cancelled=3, status="cancelling")
    settle(ann, requests[:1])
    folding.fold_batch(store, batch_no)
    assert_batch(store_builders.row(store, batch_no), reserved=0, spent=30, succeeded=1, status="cancelled")


def test_a_reservation_whose_reply_was_lost_is_found_again(store: Store, worker: Worker) -> None:
    requests, ann = held(store, lines=4, budget=100_000), worker("ann")
    reserve(ann, requests[:1])
    first = reserve(ann, requests[1:])
    assert reserve(ann, requests[1:]).granted == first.granted == {one.id for one in requests[1:]}
    assert store_builders.row(store, requests[0].batch_no)["calls"] <= 4
    store_builders.check_ledger(store, requests[0].batch_no)


def test_a_purse_holds_money_of_both_budgets_that_pay(store: Store, worker: Worker) -> None:
    payer = store_builders.submit(store, store_builders.lines(4), budget=1_000)
    paid = store_builders.submit(store, store_builders.lines(8), payer_no=payer)
    requests, ann = store_builders.held(store, paid, owner="ann"), worker("ann")
    reserve(ann, requests[:1])
    reserve(ann, requests[1:2])
    assert purses_of(store, paid) == {"ann": 12}
    for number in (paid, payer):
        store_builders.check_ledger(store, number)
    # The payer's own calls need what lies in the purse of the batch that it pays for.
    own = store_builders.held(store, payer, owner="bob")
    assert len(reserve(worker("bob"), own, worst=200).granted) == 4
    assert purses_of(store, paid) == {}
    settle(ann, requests[:2], cost=100)
    for number in (paid, payer):
        folding.fold_batch(store, number)
        store_builders.check_ledger(store, number)
    assert_batch(store_builders.row(store, payer), spent=200, reserved=800)


def test_the_cap_holds_while_processes_reserve_settle_die_and_fold_at_once(
    store: Store, worker: Worker
) -> None:
    lines, budget = 240, 9_000
    batch_no = store_builders.submit(
        store, store_builders.lines(lines), budget=budget, options=BatchOptions(group_size=5)
    )
    requests = store_builders.held(store, batch_no, owner="ann")

    def work(number: int) -> None:
        process, chance = worker("ann"), random.Random(number)
        for one in requests[number::6]:
            if number == 5:
                folding.fold_batch(store, batch_no)
            if reserve(process, [one]).granted and number != 4:  # the fifth one dies with its calls
                end = Requeue(0) if chance.random() < 0.2 else store_builders.ANSWER
                settlement = store_builders.settlement(one, end, cost=chance.choice([None, 0, 40, 100]))
                process.settle(batch_no, [settlement, settlement])
            assert taken(store, batch_no) <= budget

    store_builders.at_once(6, work)
    store_builders.expire_leases(store)
    sweep.expire(store)
    folding.fold_all(store)
    store_builders.check_ledger(store, batch_no)
    row = store_builders.row(store, batch_no)
    assert row["spent"] + row["reserved"] <= budget
    with store.read() as connection:
        assert connection.execute(select(func.count()).select_from(purse)).scalar_one() <= 1
