"""Cancelling and retrying batches."""

import pytest

from tasks.errors import UnknownBatch, UsageError
from tasks.store import batches, bulk, control, sweep
from tasks.store.batch_options import BatchOptions
from tasks.store.engine import Store
from tasks.store.values import Requeue
from tests.support import store_builders
from tests.support.comparisons import assert_batch, assert_fields


def _cancel(store: Store, batch_no: int) -> int:
    with store.write() as connection:
        return control.cancel(connection, store_builders.row(store, batch_no)["id"])


def _retry(store: Store, batch_no: int, *, budget: int | None = None) -> int:
    with store.write() as connection:
        return control.retry(connection, store_builders.row(store, batch_no)["id"], budget=budget)


def test_cancelling_ends_what_waits_and_closes_its_chunks(store: Store) -> None:
    batch_no = store_builders.submit(
        store, [*store_builders.lines(5), store_builders.line(6, body='{"messages":[1]}')]
    )
    assert _cancel(store, batch_no) == 5
    assert store_builders.claim(store, batch_no) == []
    assert store_builders.states(store, batch_no) == {"cancelled": 6}
    assert_batch(store_builders.row(store, batch_no), status="cancelled")
    store_builders.check_ledger(store, batch_no)


def test_calls_in_flight_end_and_are_kept(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(3))
    requests = store_builders.held(store, batch_no)
    store_builders.reserve(store, requests[:1])
    assert _cancel(store, batch_no) == 2
    assert_batch(store_builders.row(store, batch_no), status="cancelling")
    assert store_builders.reserve(store, requests[1:]).granted == frozenset()
    store_builders.settle(store, requests[:1])
    assert store_builders.outcomes(store, batch_no) == {1: "succeeded", 2: "cancelled", 3: "cancelled"}
    assert_batch(store_builders.row(store, batch_no), status="cancelled")
    store_builders.check_ledger(store, batch_no)


def test_a_cancelled_batch_sends_nothing_again(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(1))
    requests = store_builders.held(store, batch_no)
    store_builders.reserve(store, requests)
    _cancel(store, batch_no)
    store_builders.settle(store, requests, next=Requeue(after_s=3600))
    assert_batch(store_builders.row(store, batch_no), status="cancelled")
    store_builders.check_ledger(store, batch_no)


def test_a_cancelled_batch_ends_although_its_worker_died(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(2))
    store_builders.reserve(store, store_builders.held(store, batch_no))
    _cancel(store, batch_no)
    store_builders.expire_leases(store)
    sweep.expire(store)
    sweep.regroup(store)
    row = store_builders.row(store, batch_no)
    assert_batch(row, status="cancelled", cancelled=2, spent=200)
    store_builders.check_ledger(store, batch_no)


def test_cancelling_more_requests_than_a_statement_takes(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "MAX_IDS", 7)
    batch_no = store_builders.submit(store, store_builders.lines(40))
    assert _cancel(store, batch_no) == 40
    assert_batch(store_builders.row(store, batch_no), status="cancelled")


def test_a_finished_batch_cannot_be_cancelled(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(1))
    requests = store_builders.held(store, batch_no)
    store_builders.reserve(store, requests)
    store_builders.settle(store, requests)
    assert _cancel(store, batch_no) == 0
    assert_batch(store_builders.row(store, batch_no), status="completed")


def test_retry_sends_only_what_failed_and_its_duplicates(store: Store) -> None:
    batch_no = store_builders.submit(
        store, [*store_builders.lines(2), store_builders.line(3, body='{"messages":[2]}')]
    )
    good, bad = store_builders.held(store, batch_no)
    store_builders.reserve(store, [good, bad])
    store_builders.settle(store, [good])
    store_builders.settle(store, [bad], next=store_builders.REFUSED, cost=10)
    assert _retry(store, batch_no) == 2
    assert store_builders.states(store, batch_no) == {"succeeded": 1, "ready": 1, "following": 1}
    store_builders.check_ledger(store, batch_no)
    sweep.regroup(store)
    [again] = store_builders.held(store, batch_no)
    assert_fields(again, id=bad.id, attempts=1, model_attempts=0)
    store_builders.reserve(store, [again])
    store_builders.settle(store, [again], cost=20)
    row = store_builders.row(store, batch_no)
    assert_batch(row, status="completed", succeeded=3, failed=0, spent=60)
    store_builders.check_ledger(store, batch_no)


def test_retry_after_a_budget_stop_takes_a_new_cap(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(1), budget=10)
    requests = store_builders.held(store, batch_no)
    assert store_builders.reserve(store, requests).refused
    with store.write() as connection:
        batches.lock(connection, batch_no)
        stop = store_builders.RequestResult("failed", error_code="budget_exceeded", error_message="no money")
        store_builders.ledger.apply_results(
            connection, batch_no, [store_builders.without_call(requests[0], stop)]
        )
    assert_batch(store_builders.row(store, batch_no), budget_stops=1)
    _retry(store, batch_no, budget=1_000)
    sweep.regroup(store)
    assert store_builders.reserve(store, store_builders.held(store, batch_no)).granted
    assert_batch(store_builders.row(store, batch_no), budget_stops=0)


def test_a_budget_that_is_spent_already_is_refused_with_one_that_would_be_enough(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(3))
    first = store_builders.held(store, batch_no)[:1]
    store_builders.reserve(store, first, worst=2_000)
    store_builders.settle(store, first, cost=1_000)
    _cancel(store, batch_no)
    before = dict(store_builders.row(store, batch_no))
    # 2 calls of 1,000 micro-dollars and a fifth more, and the worst case of the last one.
    said = r"\$0\.001 is spent already; about \$0\.0054 would be enough"
    with pytest.raises(UsageError, match=said):
        _retry(store, batch_no, budget=999)
    assert dict(store_builders.row(store, batch_no)) == before
    assert store_builders.states(store, batch_no) == {"succeeded": 1, "cancelled": 2}
    assert _retry(store, batch_no, budget=5_400) == 2


def test_a_budget_that_is_spent_already_is_refused_where_no_call_tells_what_would_be_enough(
    store: Store,
) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(2))
    first = store_builders.held(store, batch_no)[:1]
    store_builders.reserve(store, first, worst=2_000)
    store_builders.settle(store, first, next=store_builders.REFUSED, cost=1_000)
    _cancel(store, batch_no)
    with pytest.raises(UsageError, match=r"\$0\.001 is spent already$"):
        _retry(store, batch_no, budget=999)


def test_a_cancelled_batch_can_be_taken_up_again(store: Store) -> None:
    batch_no = store_builders.submit(
        store, store_builders.lines(3, model=None), options=BatchOptions(embed=True)
    )
    _cancel(store, batch_no)
    assert _retry(store, batch_no) == 3
    sweep.regroup(store)
    assert [held.stage for held in store_builders.claim(store, batch_no)] == ["embed"]


def test_a_batch_that_runs_cannot_be_retried(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(1))
    with pytest.raises(UsageError, match="is in_progress"):
        _retry(store, batch_no)


def test_a_batch_that_is_not_there_is_named(store: Store) -> None:
    with pytest.raises(UnknownBatch, match="no batch 'batch_x'"), store.write() as connection:
        control.cancel(connection, "batch_x")
