"""Results in input order, page by page."""

from dataclasses import replace

import pytest

from tasks.errors import UnknownBatch
from tasks.formats.requests import InputError
from tasks.formats.results import ResultRecord
from tasks.store import decisions, outcomes, results
from tasks.store.batch_options import BatchOptions
from tasks.store.engine import Store
from tasks.store.ids import request_id
from tasks.store.values import CANCELLED, RoutedRequest, Settlement
from tests.support import store_builders
from tests.support.comparisons import assert_batch


def _results(store: Store, batch_no: int, *, page: int = 1000) -> list[ResultRecord]:
    return list(results.iter_results(store, store_builders.row(store, batch_no)["id"], page=page))


def _routed(batch_no: int, number: int) -> RoutedRequest:
    return RoutedRequest(
        request_id(batch_no, number),
        "large",
        "coding",
        '{"large": 0.9}',
        '["large"]',
        0.2,
        True,
        "gap",
        router_version="v1",
    )


def _route(store: Store, batch_no: int, *numbers: int) -> None:
    held = store_builders.claim_for_routing(store, batch_no)
    with store.write() as connection:
        routed = [_routed(batch_no, number) for number in numbers]
        decisions.record(connection, held, routed)


@pytest.mark.parametrize("page", [1, 2, 1000])
def test_results_come_in_input_order_whatever_the_order_of_the_answers(store: Store, page: int) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(7))
    requests = store_builders.held(store, batch_no)
    store_builders.reserve(store, requests)
    for one in reversed(requests):
        store_builders.settle(store, [one])
    records = _results(store, batch_no, page=page)
    assert [r.custom_id for r in records] == [f"id-{n}" for n in range(1, 8)]
    assert [r.line for r in records] == list(range(1, 8))
    assert len({r.request_id for r in records}) == 7


def test_a_routed_answer_says_how_it_was_routed_and_what_all_its_calls_cost(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(1, model=None))
    _route(store, batch_no, 1)
    requests = store_builders.held(store, batch_no)
    store_builders.reserve(store, requests)
    store_builders.settle(store, requests, cost=1_500_000)
    [record] = _results(store, batch_no)
    assert record.body == {"id": "x"}
    assert record.waybill == {
        "category": "coding",
        "predicted": {"large": 0.9},
        "gap": 0.2,
        "used_fallback": True,
        "reason": "gap",
        "router_version": "v1",
        "cost_usd": 0.0001,  # a provider's cost above the reservation is capped by it
        "latency_ms": 7,
        "attempts": 1,
        "duplicate_of": None,
    }


def test_a_duplicate_shows_the_answer_and_the_decision_of_its_original_at_no_cost(store: Store) -> None:
    same = '{"messages":["same"]}'
    batch_no = store_builders.submit(
        store, [store_builders.line(1, body=same, model=None), store_builders.line(2, body=same, model=None)]
    )
    _route(store, batch_no, 1)
    requests = store_builders.held(store, batch_no)
    store_builders.reserve(store, requests)
    store_builders.settle(store, requests)
    first, second = _results(store, batch_no, page=1)
    assert second.body == first.body
    assert second.waybill == {**first.waybill, "cost_usd": 0.0, "attempts": 0, "duplicate_of": "id-1"}


def test_what_was_mended_or_dropped_stands_in_waybill_of_the_request_and_of_its_duplicates(
    store: Store,
) -> None:
    same = '{"messages":["same"]}'
    batch_no = store_builders.submit(store, [store_builders.line(n, body=same) for n in (1, 2)])
    requests = store_builders.held(store, batch_no)
    store_builders.reserve(store, requests)
    notes = {"mended": ["logprobs"], "dropped": ["seed"]}
    store_builders.settle(store, requests, next=replace(store_builders.ANSWER, notes=notes))
    first, second = _results(store, batch_no)
    assert second.waybill["duplicate_of"] == "id-1"
    for record in (first, second):
        assert {name: record.waybill[name] for name in notes} == notes


def test_the_costs_of_the_lines_add_up_to_what_the_batch_spent(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(5))
    requests = store_builders.held(store, batch_no)
    store_builders.reserve(store, requests)
    store_builders.settle(store, requests[:3], cost=33)
    store_builders.settle(store, requests[3:], next=store_builders.REFUSED, cost=None)
    total = sum(round(r.waybill["cost_usd"] * 1e6) for r in _results(store, batch_no))
    assert total == store_builders.row(store, batch_no)["spent"] == 299


def test_failures_and_bad_lines_have_no_answer_and_bad_lines_come_last(store: Store) -> None:
    bad = InputError(2, "invalid_json", "is not JSON", None)
    batch_no = store_builders.submit(store, [store_builders.line(1), bad, store_builders.line(3)])
    requests = store_builders.held(store, batch_no)
    store_builders.reserve(store, requests)
    store_builders.settle(store, requests, next=store_builders.REFUSED)
    records = _results(store, batch_no)
    assert [(r.custom_id, r.status_code, r.error_code, r.error_line) for r in records] == [
        ("id-1", 400, "bad_request", None),
        ("id-3", 400, "bad_request", None),
        ("line-2", None, "invalid_json", 2),
    ]
    assert [r for r in records if not r.failed or r.body is not None] == []


def test_what_has_not_ended_is_left_out(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(3))
    requests = store_builders.held(store, batch_no)
    store_builders.reserve(store, requests)
    store_builders.settle(store, requests[1:2])
    assert [r.line for r in _results(store, batch_no)] == [2]


def test_a_batch_that_was_only_routed_gives_its_decisions(store: Store) -> None:
    batch_no = store_builders.submit(
        store, store_builders.lines(1, model=None), options=BatchOptions(route_only=True)
    )
    _route(store, batch_no, 1)
    [record] = _results(store, batch_no)
    assert record.body == {"object": "waybill.decision", "model": "large"}
    assert not record.failed
    assert_batch(store_builders.row(store, batch_no), status="completed")


def test_routing_ends_duplicates_with_their_originals_and_nothing_that_was_cancelled(store: Store) -> None:
    bodies = ("a", "a", "b", "c")
    lines = [
        store_builders.line(number, body=body, model=None) for number, body in enumerate(bodies, start=1)
    ]
    batch_no = store_builders.submit(store, lines, options=BatchOptions(route_only=True))
    held = store_builders.claim_for_routing(store, batch_no)
    with store.write() as connection:
        cancelled = Settlement(batch_no=batch_no, request_id=request_id(batch_no, 4), next=CANCELLED)
        outcomes.finish(connection, batch_no, [cancelled])
    with store.write() as connection:
        decisions.record(connection, held, [_routed(batch_no, number) for number in (1, 3, 4)])
    found = {r.line: (r.body, r.waybill["duplicate_of"]) for r in _results(store, batch_no) if not r.failed}
    decided = {"object": "waybill.decision", "model": "large"}
    assert found == {1: (decided, None), 2: (decided, "id-1"), 3: (decided, None)}
    row = store_builders.row(store, batch_no)
    assert_batch(row, status="completed", succeeded=3, cancelled=1)


def test_a_neighbouring_batch_does_not_leak_in(store: Store) -> None:
    for _ in range(3):
        batch_no = store_builders.submit(store, store_builders.lines(2))
        requests = store_builders.held(store, batch_no)
        store_builders.reserve(store, requests)
        store_builders.settle(store, requests)
    assert len(_results(store, 2, page=1)) == 2


def test_an_unknown_batch_is_named(store: Store) -> None:
    with pytest.raises(UnknownBatch, match="batch_nope"):
        next(results.iter_results(store, "batch_nope"))
