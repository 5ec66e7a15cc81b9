"""Settlements without the batch's lock: what they add to the batch is folded into its row a moment later."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from sqlalchemy import select

from tasks.formats.requests import ParsedRequest
from tasks.stages.dispatch.repository import DispatchRepository
from tasks.store import batches, control, ingestion, ledger, progress, sweep, waiting
from tasks.store.api import ended
from tasks.store.batch_progress import Progress
from tasks.store.engine import Store
from tasks.store.tables import attempt, chunk, outcome, request
from tasks.store.unlocked import folding, settling
from tasks.store.values import INVALID_ANSWER, HeldRequest, RequestResult, Requeue, Settlement
from tests.support import store_builders
from tests.support.comparisons import assert_batch

pytestmark = pytest.mark.postgres
Worker = Callable[[str], DispatchRepository]
#: what may differ between two batches that were treated alike
OWN = {"id", "batch_no", "request_id", "chunk_id", "sent_at", "opened_at", "next_attempt_at", "lease_until"}
FULL = RequestResult(
    "succeeded",
    model="small",
    body='{"text": "\\u0000 é 日本 \U0001f600"}',
    status_code=200,
    latency_ms=7,
    notes={"dropped": ["seed"], "repaired": ["quotes"]},
)


def sent(store: Store, items: Sequence[ParsedRequest], **options: Any) -> list[HeldRequest]:
    """The requests of a new batch, whose calls are in flight."""
    batch_no = store_builders.submit(store, items, **options)
    requests = store_builders.held(store, batch_no)
    store_builders.reserve(store, requests)
    return requests


def settle(store: Store, settlements: Sequence[Settlement]) -> list[Settlement]:
    return settling.settle(store, settlements[0].batch_no, settlements)


def shown(store: Store, batch_no: int) -> Progress:
    with store.read() as connection:
        return progress.snapshot(connection, store_builders.row(store, batch_no)["id"])


def rows(store: Store, batch_no: int) -> dict[str, list[dict[str, Any]]]:
    """What is stored of a batch, without what is its own."""
    found = {}
    with store.read() as connection:
        for table in (attempt, outcome, request, chunk):
            query = select(table).where(table.c.batch_no == batch_no).order_by(*table.primary_key.columns)
            of_table = connection.execute(query).mappings()
            found[table.name] = [{k: v for k, v in row.items() if k not in OWN} for row in of_table]
    return found


def kinds(requests: Sequence[HeldRequest]) -> list[Settlement]:
    """One settlement of each kind."""
    refused = replace(store_builders.REFUSED, error_message="no\nsuch 'model'")
    usage: dict[str, int | str] = {"input": 3, "output": 5, "tier": "flex"}
    first, second, third, fourth, fifth, sixth, seventh, eighth = requests
    full = store_builders.settlement(first, FULL, cost=33)
    return [
        replace(full, usage=usage, prompt_tokens=3, completion_tokens=5, latency_ms=7, status_code=200),
        store_builders.settlement(second, refused, cost=None),
        store_builders.settlement(third, Requeue(0), cost=0),
        store_builders.settlement(fourth, Requeue(0, model="large"), cost=10**12),
        replace(store_builders.settlement(fifth, cost=70), is_bill=True),
        replace(
            store_builders.settlement(sixth, Requeue(0)),
            state="succeeded",
            error_code=INVALID_ANSWER,
            answer="{",
        ),
        replace(
            store_builders.settlement(seventh, refused),
            state="succeeded",
            error_code=INVALID_ANSWER,
            answer="[",
        ),
        replace(store_builders.settlement(eighth), is_bill=True, cost=5_000),
    ]


@pytest.mark.parametrize("budget", [None, 100_000])
def test_a_settlement_without_the_lock_writes_what_one_with_the_lock_writes(
    store: Store, budget: int | None
) -> None:
    with_lock, without = (sent(store, store_builders.lines(8), budget=budget) for _ in range(2))
    with store.write() as connection:
        ledger.settle(connection, with_lock[0].batch_no, kinds(with_lock))
    rest = settle(store, kinds(without))
    assert [one.request_id for one in rest] == [without[7].id], "a bill above the worst case needs the lock"
    folding.fold_batch(store, without[0].batch_no)
    with store.write() as connection:
        ledger.settle(connection, without[0].batch_no, rest)
    one, other = (requests[0].batch_no for requests in (with_lock, without))
    assert rows(store, other) == rows(store, one)
    differ = {"no", "id", "created_at"}
    left, right = (store_builders.row(store, number) for number in (one, other))
    assert {k: v for k, v in right.items() if k not in differ} == {
        k: v for k, v in left.items() if k not in differ
    }
    store_builders.check_ledger(store, other)


def test_progress_counts_what_is_not_folded_yet(store: Store) -> None:
    requests = sent(store, store_builders.lines(4), budget=100_000)
    batch_no = requests[0].batch_no
    assert settle(store, [store_builders.settlement(one) for one in requests[:3]]) == []
    assert_batch(store_builders.row(store, batch_no), succeeded=0, spent=0)
    now = shown(store, batch_no)
    assert (now.succeeded, now.spent, now.reserved, now.in_flight) == (3, 90, 100, 1)
    folding.fold_batch(store, batch_no)
    assert shown(store, batch_no).succeeded == 3
    store_builders.check_ledger(store, batch_no)


def test_duplicates_end_when_the_end_of_their_original_is_folded(store: Store) -> None:
    items = [*store_builders.lines(2), store_builders.line(3, body='{"messages":[1]}')]
    requests = sent(store, items)
    batch_no = requests[0].batch_no
    settle(store, [store_builders.settlement(one) for one in requests])
    assert store_builders.outcomes(store, batch_no) == {1: "succeeded", 2: "succeeded"}
    folding.fold_batch(store, batch_no)
    assert store_builders.outcomes(store, batch_no)[3] == "succeeded"
    assert_batch(store_builders.row(store, batch_no), succeeded=3, status="completed")


def test_a_duplicate_that_is_stored_while_its_original_ends_ends_as_well(store: Store) -> None:
    with store.write() as connection:
        row = batches.create(connection, source="test", options=store_builders.OPTIONS, budget=None)
        ingestion.ingest(connection, row["no"], store_builders.OPTIONS, store_builders.lines(1))
    requests = store_builders.held(store, row["no"])
    store_builders.reserve(store, requests)
    again = store_builders.line(2, body='{"messages":[1]}')
    with store.write() as connection:
        ingestion.ingest(connection, row["no"], store_builders.OPTIONS, [again])
        # Neither sees what the other has not committed.
        assert settle(store, [store_builders.settlement(requests[0])]) == []
        ingestion.finish(connection, row["no"])
    assert store_builders.outcomes(store, row["no"]) == {1: "succeeded"}
    folding.fold_batch(store, row["no"])
    assert store_builders.outcomes(store, row["no"]) == {1: "succeeded", 2: "succeeded"}
    assert_batch(store_builders.row(store, row["no"]), status="completed")


def test_money_that_comes_back_by_a_delta_wakes_what_waits_for_it(store: Store, worker: Worker) -> None:
    requests = store_builders.held(
        store, store_builders.submit(store, store_builders.lines(4), budget=250), owner="ann"
    )
    batch_no, ann = requests[0].batch_no, worker("ann")
    calls = [store_builders.reservation(one) for one in requests]
    assert len(ann.reserve(batch_no, calls).granted) == 2
    assert len(ann.put_off(batch_no, calls[2:]).waiting) == 2
    ann.settle(batch_no, [store_builders.settlement(one, cost=0) for one in requests[:2]])
    with store.read() as connection:
        assert waiting.count(connection, batch_no) == 2
    ann.fold(batch_no)
    with store.read() as connection:
        assert waiting.count(connection, batch_no) == 0
    assert sweep.regroup(store) == 2


def test_what_a_dead_process_added_is_folded_by_the_sweeper(store: Store) -> None:
    requests = sent(store, store_builders.lines(2))
    settle(store, [store_builders.settlement(one) for one in requests])
    folding.fold_all(store)
    assert_batch(store_builders.row(store, requests[0].batch_no), succeeded=2, status="completed", spent=60)


def test_a_batch_whose_row_is_locked_is_folded_later(store: Store) -> None:
    requests = sent(store, store_builders.lines(1))
    settle(store, [store_builders.settlement(requests[0])])
    with store.write() as connection:
        batches.lock(connection, requests[0].batch_no)
        assert not folding.fold_batch(store, requests[0].batch_no)
    assert folding.fold_batch(store, requests[0].batch_no)
    assert_batch(store_builders.row(store, requests[0].batch_no), status="completed")


def test_an_answer_after_its_worker_was_given_up_changes_nothing(store: Store) -> None:
    requests = sent(store, store_builders.lines(2))
    store_builders.expire_leases(store)
    sweep.expire(store)
    settlements = [store_builders.settlement(one) for one in requests]
    assert settle(store, settlements) == settlements
    assert store_builders.outcomes(store, requests[0].batch_no) == {}
    store_builders.check_ledger(store, requests[0].batch_no)


def test_settled_twice_is_settled_once(store: Store) -> None:
    requests = sent(store, store_builders.lines(2))
    settlements = [store_builders.settlement(one) for one in requests]
    assert settle(store, settlements[:1]) == []
    assert settle(store, settlements) == settlements[:1]
    folding.fold_batch(store, requests[0].batch_no)
    store_builders.check_ledger(store, requests[0].batch_no)


def test_what_a_cancelled_batch_would_send_again_ends(store: Store, worker: Worker) -> None:
    requests = sent(store, store_builders.lines(2))
    batch_no = requests[0].batch_no
    with store.write() as connection:
        control.cancel(connection, store_builders.row(store, batch_no)["id"])
    worker("worker").settle(batch_no, [store_builders.settlement(one, Requeue(0)) for one in requests])
    folding.fold_batch(store, batch_no)
    assert_batch(store_builders.row(store, batch_no), status="cancelled", cancelled=2)


def test_calls_that_end_while_their_worker_is_given_up_are_charged_once(store: Store) -> None:
    for _ in range(12):
        requests = sent(store, store_builders.lines(8))
        batch_no = requests[0].batch_no
        store_builders.expire_leases(store)

        def work(number: int, requests: Sequence[HeldRequest] = requests) -> None:
            if number == 0:
                sweep.expire(store)
            else:
                settle(store, [store_builders.settlement(one) for one in requests[(number - 1) * 2 :][:2]])

        store_builders.at_once(5, work)
        sweep.expire(store)
        folding.fold_all(store)
        store_builders.check_ledger(store, batch_no)


def test_calls_that_begin_and_end_while_their_batch_is_cancelled_are_on_the_ledger(
    store: Store, worker: Worker
) -> None:
    for _ in range(8):
        batch_no = store_builders.submit(store, store_builders.lines(16), budget=100_000)
        requests = store_builders.held(store, batch_no, owner="ann")
        ann = worker("ann")
        ann.reserve(batch_no, [store_builders.reservation(requests[0])])

        store_builders.at_once(5, partial(_cancel_or_call, store, ann, requests))
        ann.settle(batch_no, [store_builders.settlement(requests[0])])
        folding.fold_all(store)
        sweep.regroup(store)
        store_builders.check_ledger(store, batch_no)
        assert_batch(store_builders.row(store, batch_no), status="cancelled", reserved=0)


def _cancel_or_call(
    store: Store, process: DispatchRepository, requests: Sequence[HeldRequest], number: int
) -> None:
    batch_no, mine = requests[0].batch_no, requests[number::4]
    if number == 0:
        with store.write() as connection:
            control.cancel(connection, store_builders.row(store, batch_no)["id"])
    else:
        got = process.reserve(batch_no, [store_builders.reservation(one) for one in mine]).granted
        process.settle(batch_no, [store_builders.settlement(one) for one in mine if one.id in got])


def test_the_order_in_which_the_api_reads_what_has_ended_grows_with_each_fold(store: Store) -> None:
    with store.write() as connection:
        row = batches.create(
            connection, source="test", options=store_builders.OPTIONS, budget=None, owner="key"
        )
        ingestion.ingest(connection, row["no"], store_builders.OPTIONS, store_builders.lines(3))
        ingestion.finish(connection, row["no"])
    requests = store_builders.held(store, row["no"])
    store_builders.reserve(store, requests)
    for one in reversed(requests):
        settle(store, [store_builders.settlement(one)])
    with store.read() as connection:
        assert ended.after(connection, row["no"], 0, 10) == {}
    folding.fold_batch(store, row["no"])
    with store.read() as connection:
        found = ended.after(connection, row["no"], 0, 10)
    assert found == {number: one.id for number, one in enumerate(reversed(requests), 1)}
