"""What `status` shows: counters, projections and summaries."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tasks.store import batches, ledger, paused_models, progress, spending, summary
from tasks.store.batch_progress import Progress, Rate
from tasks.store.engine import Store
from tasks.store.health import model_errors
from tasks.store.health.model_errors import FailedCalls
from tasks.store.page import batch_list
from tasks.store.values import Requeue
from tests.support import store_builders
from tests.support.comparisons import assert_fields
from tests.support.unreadable_options import FORMS, break_options

OPERATOR = cast("Any", SimpleNamespace(is_operator=True))


def _snapshot(store: Store, batch_id: str | None = None) -> Progress:
    with store.read() as connection:
        return progress.snapshot(connection, batch_id)


def test_a_snapshot_counts_what_is_done_in_flight_and_waiting(store: Store) -> None:
    batch_no = store_builders.submit(
        store, [*store_builders.lines(9), store_builders.line(10, body='{"messages":[1]}')], budget=10_000
    )
    requests = store_builders.held(store, batch_no)
    store_builders.reserve(store, requests[:5])
    store_builders.settle(store, requests[1:3], cost=40)
    store_builders.settle(store, requests[3:4], next=store_builders.REFUSED, cost=0)
    now = _snapshot(store)
    assert_fields(now, total=10, succeeded=2, failed=1, in_flight=2, waiting=5)
    assert_fields(now, calls=5, calls_saved=1, spent=80, reserved=200, budget=10_000)
    assert not now.finished


def test_calls_in_flight_are_those_of_the_batch(store: Store) -> None:
    for number in (1, 2, 3):
        batch_no = store_builders.submit(store, store_builders.lines(number))
        store_builders.reserve(store, store_builders.held(store, batch_no))
    with store.read() as connection:
        assert [p.in_flight for p in progress.list_batches(connection)] == [3, 2, 1]
        assert [p.batch_no for p in progress.list_batches(connection, limit=2)] == [3, 2]


def test_the_cost_is_projected_from_what_the_ended_requests_cost(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(10))
    requests = store_builders.held(store, batch_no)
    assert _snapshot(store).projected is None
    store_builders.reserve(store, requests[:4])
    store_builders.settle(store, requests[:4], cost=25)
    assert _snapshot(store).projected == 250


def test_a_finished_batch_has_its_time_and_nothing_left(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(2))
    requests = store_builders.held(store, batch_no)
    store_builders.reserve(store, requests)
    store_builders.settle(store, requests)
    first, second = _snapshot(store), _snapshot(store)
    assert first == second
    assert first.finished
    assert first.finished_at is not None
    assert 0 <= first.elapsed_s == (first.finished_at - first.created_at) / 1000 < 60


def test_a_rate_is_taken_between_two_snapshots(store: Store) -> None:
    store_builders.submit(store, store_builders.lines(100))
    start = replace(_snapshot(store), elapsed_s=10.0)
    later = replace(start, elapsed_s=14.0, succeeded=20)
    assert Rate.between(start, later) == Rate(5.0, 16.0)
    assert Rate.between(start, start) == Rate(0.0, None)
    assert Rate.between(start, replace(later, succeeded=100)).eta_s == 0.0


def test_paused_models_are_shown_until_their_pause_is_over(store: Store) -> None:
    store_builders.submit(store, store_builders.lines(1))
    with store.write() as connection:
        paused_models.pause(connection, "small", reason="quota_exhausted", seconds=30)
        paused_models.pause(connection, "large", reason="auth", seconds=-1)
    [paused] = _snapshot(store).paused
    assert_fields(paused, model="small", reason="quota_exhausted")
    assert 25 < paused.seconds_left <= 30


def test_the_summary_tells_models_apart(store: Store) -> None:
    items = [
        store_builders.line(1),
        store_builders.line(2),
        store_builders.line(3, model="large"),
        store_builders.line(4, body='{"messages":[1]}'),
    ]
    batch_no = store_builders.submit(store, items)
    third, first, second = sorted(store_builders.held(store, batch_no), key=lambda one: (one.model, one.id))
    store_builders.reserve(store, [first, second, third])
    store_builders.settle(store, [first], cost=10)
    store_builders.settle(store, [second], next=Requeue(3600), cost=5)
    store_builders.settle(store, [third], next=store_builders.REFUSED, cost=0)
    with store.read() as connection:
        models = {m.model: m for m in summary.by_model(connection, batch_no)}
        assert summary.failures(connection, batch_no) == {"bad_request": 1}
        failed = summary.failures_with_examples(connection, batch_no)
        assert failed == {"bad_request": (1, third.id)}
        [category] = summary.by_category(connection, batch_no)
    small, large = models["small"], models["large"]
    assert_fields(small, requests=2, calls=2, failed_calls=1, cost=15)
    assert_fields(large, requests=0, calls=1, failed_calls=1, cost=0)
    assert_fields(category, category=None, requests=3)
    assert category.models == {"small": 2, "large": 1}


def test_calls_that_were_not_made_are_counted_apart(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(2))
    first, second = store_builders.held(store, batch_no)
    store_builders.reserve(store, [first, second])
    store_builders.settle(store, [first])
    keyless = replace(store_builders.settlement(second, Requeue(3600), cost=0), error_code="missing_key")
    with store.write() as connection:
        ledger.settle(connection, batch_no, [keyless])
        model_errors.add(connection, [FailedCalls(batch_no, "small", "missing_key", 1, "no key")])
    assert _snapshot(store).calls == 1
    with store.read() as connection:
        [small] = summary.by_model(connection, batch_no)
        [spent] = spending.by_key(connection, spending.this_month(connection))
    assert_fields(small, calls=1, failed_calls=0, retries=0, not_made=1)
    assert spent.calls == 1


def test_batches_of_the_learning_loop_are_listed_where_they_are_asked_for(store: Store) -> None:
    own = store_builders.submit(store, store_builders.lines(1))
    with store.write() as connection:
        options = store_builders.OPTIONS
        batches.create(connection, source="store", options=options, budget=None, purpose="collect")
        batches.create(connection, source="x", options=options, budget=None, purpose="collect", payer_no=own)
    with store.read() as connection:
        assert [one.purpose for one in progress.list_batches(connection)] == ["answer"]
        assert [one.purpose for one in progress.list_batches(connection, loop=True)] == ["collect", "answer"]


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_a_batch_whose_options_a_newer_waybill_stored_keeps_no_list_from_the_others(
    store: Store, form: Any
) -> None:
    newer, other = (store_builders.submit(store, store_builders.lines(number)) for number in (2, 3))
    store_builders.settle_all(store, other, model="small")
    break_options(store, newer, form)
    with store.read() as connection:
        found = {one.batch_no: (one.status, one.total) for one in progress.list_batches(connection)}
        shown = batch_list.page(connection, OPERATOR, batch_list.Filter(), limit=9)
    assert found == {newer: ("in_progress", 2), other: ("completed", 3)}
    assert len(shown) == 2
