"""Cancelling and retrying."""

import pytest

from tasks.errors import UnknownBatch, UsageError
from tasks.store import batches, control, outcomes, sweep
from tasks.store.engine import Store
from tasks.store.values import Again, BatchOptions
from tests.support import work


def _cancel(store: Store, batch_no: int) -> int:
    with store.write() as connection:
        return control.cancel(connection, work.row(store, batch_no)["id"])


def _retry(store: Store, batch_no: int, *, budget: int | None = None) -> int:
    with store.write() as connection:
        return control.retry(connection, work.row(store, batch_no)["id"], budget=budget)


def test_cancelling_ends_what_waits_and_closes_its_chunks(store: Store) -> None:
    batch_no = work.submit(store, [*work.lines(5), work.line(6, body='{"messages":[1]}')])
    assert _cancel(store, batch_no) == 5
    assert work.claim(store, batch_no) == []
    assert work.states(store, batch_no) == {"cancelled": 6}
    assert work.row(store, batch_no)["status"] == "cancelled"
    work.check_books(store, batch_no)


def test_calls_in_flight_end_and_are_kept(store: Store) -> None:
    batch_no = work.submit(store, work.lines(3))
    requests = work.held(store, batch_no)
    work.reserve(store, requests[:1])
    assert _cancel(store, batch_no) == 2
    assert work.row(store, batch_no)["status"] == "cancelling"
    assert work.reserve(store, requests[1:]).granted == frozenset()
    work.settle(store, requests[:1])
    assert work.outcomes(store, batch_no) == {1: "succeeded", 2: "cancelled", 3: "cancelled"}
    assert work.row(store, batch_no)["status"] == "cancelled"
    work.check_books(store, batch_no)


def test_a_cancelled_batch_sends_nothing_again(store: Store) -> None:
    batch_no = work.submit(store, work.lines(1))
    requests = work.held(store, batch_no)
    work.reserve(store, requests)
    _cancel(store, batch_no)
    work.settle(store, requests, next=Again(after_s=3600))
    assert work.row(store, batch_no)["status"] == "cancelled"
    work.check_books(store, batch_no)


def test_a_cancelled_batch_ends_although_its_worker_died(store: Store) -> None:
    batch_no = work.submit(store, work.lines(2))
    work.reserve(store, work.held(store, batch_no))
    _cancel(store, batch_no)
    work.expire_leases(store)
    sweep.expire(store)
    sweep.regroup(store)
    row = work.row(store, batch_no)
    assert (row["status"], row["cancelled"], row["spent"]) == ("cancelled", 2, 200)
    work.check_books(store, batch_no)


def test_cancelling_more_requests_than_a_statement_takes(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcomes, "SLICE", 7)
    batch_no = work.submit(store, work.lines(40))
    assert _cancel(store, batch_no) == 40
    assert work.row(store, batch_no)["status"] == "cancelled"


def test_a_finished_batch_cannot_be_cancelled(store: Store) -> None:
    batch_no = work.submit(store, work.lines(1))
    requests = work.held(store, batch_no)
    work.reserve(store, requests)
    work.settle(store, requests)
    assert _cancel(store, batch_no) == 0
    assert work.row(store, batch_no)["status"] == "completed"


def test_retry_sends_only_what_failed_and_its_duplicates(store: Store) -> None:
    batch_no = work.submit(store, [*work.lines(2), work.line(3, body='{"messages":[2]}')])
    good, bad = work.held(store, batch_no)
    work.reserve(store, [good, bad])
    work.settle(store, [good])
    work.settle(store, [bad], next=work.REFUSED, cost=10)
    assert _retry(store, batch_no) == 2
    assert work.states(store, batch_no) == {"succeeded": 1, "ready": 1, "following": 1}
    work.check_books(store, batch_no)
    sweep.regroup(store)
    [again] = work.held(store, batch_no)
    assert (again.id, again.attempts, again.model_attempts) == (bad.id, 1, 0)
    work.reserve(store, [again])
    work.settle(store, [again], cost=20)
    row = work.row(store, batch_no)
    assert (row["status"], row["succeeded"], row["failed"], row["spent"]) == ("completed", 3, 0, 60)
    work.check_books(store, batch_no)


def test_retry_after_a_budget_stop_takes_a_new_cap(store: Store) -> None:
    batch_no = work.submit(store, work.lines(1), budget=10)
    requests = work.held(store, batch_no)
    assert work.reserve(store, requests).refused
    with store.write() as connection:
        batches.lock(connection, batch_no)
        stop = work.Final("failed", error_code="budget_exceeded", error_message="no money")
        work.ledger.follow(connection, batch_no, [(requests[0].id, stop, 0)])
    assert work.row(store, batch_no)["budget_stops"] == 1
    _retry(store, batch_no, budget=1_000)
    sweep.regroup(store)
    assert work.reserve(store, work.held(store, batch_no)).granted
    assert work.row(store, batch_no)["budget_stops"] == 0


def test_a_cancelled_batch_can_be_taken_up_again(store: Store) -> None:
    batch_no = work.submit(store, work.lines(3, model=None), options=BatchOptions(embed=True))
    _cancel(store, batch_no)
    assert _retry(store, batch_no) == 3
    sweep.regroup(store)
    assert [held.stage for held in work.claim(store, batch_no)] == ["embed"]


def test_a_batch_that_runs_cannot_be_retried(store: Store) -> None:
    batch_no = work.submit(store, work.lines(1))
    with pytest.raises(UsageError, match="is in_progress"):
        _retry(store, batch_no)


def test_a_batch_that_is_not_there_is_named(store: Store) -> None:
    with pytest.raises(UnknownBatch, match="no batch 'batch_x'"), store.write() as connection:
        control.cancel(connection, "batch_x")
