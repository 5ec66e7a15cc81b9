"""The sweeper: requests of a dead worker are sent again, and what has ended stays as it is."""

import random
import time

from sqlalchemy import select

from tasks.store import chunk_requests, chunks, sweep
from tasks.store.batch_options import BatchOptions
from tasks.store.engine import Store
from tasks.store.tables import chunk, request
from tasks.store.values import Requeue
from tests.support import store_builders
from tests.support.comparisons import assert_batch


def test_a_lost_chunk_is_dissolved_and_its_requests_come_back(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(4))
    store_builders.claim(store, batch_no, owner="dead")
    assert sweep.expire(store) == 0
    store_builders.expire_leases(store)
    assert sweep.expire(store) == 1
    assert store_builders.states(store, batch_no) == {"ready": 4}
    assert sweep.regroup(store) == 4
    assert len(store_builders.held(store, batch_no, owner="alive")) == 4


def test_a_call_whose_worker_died_is_charged_in_full_exactly_once(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(2), budget=200)
    requests = store_builders.held(store, batch_no)
    store_builders.reserve(store, requests[:1], worst=100)
    store_builders.expire_leases(store)
    store_builders.at_once(4, lambda _: sweep.expire(store))
    assert store_builders.attempts(store, batch_no, 1) == [("unknown", 100)]
    assert store_builders.attempts(store, batch_no, 2) == []
    assert_batch(store_builders.row(store, batch_no), spent=100)
    store_builders.check_ledger(store, batch_no)


def test_an_answer_after_its_worker_was_given_up_changes_nothing(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(1))
    late = store_builders.held(store, batch_no)
    store_builders.reserve(store, late, worst=100)
    store_builders.expire_leases(store)
    sweep.expire(store)
    sweep.regroup(store)
    again = store_builders.held(store, batch_no, owner="second")
    store_builders.reserve(store, again, worst=100, owner="second")
    store_builders.settle(store, late, next=store_builders.REFUSED, cost=1)
    assert store_builders.outcomes(store, batch_no) == {}
    store_builders.settle(store, again, cost=40)
    assert store_builders.outcomes(store, batch_no) == {1: "succeeded"}
    assert store_builders.attempts(store, batch_no, 1) == [("unknown", 100), ("succeeded", 40)]
    store_builders.check_ledger(store, batch_no)


def test_a_sweeper_never_undoes_a_request_that_ended_while_it_swept(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(60), options=BatchOptions(group_size=2))
    seen: dict[int, str] = {}

    def answer(worker: int) -> None:
        chooser, owner = random.Random(worker), f"worker-{worker}"
        while store_builders.row(store, batch_no)["status"] != "completed":
            requests = store_builders.held(store, batch_no, owner=owner)
            for one in requests:
                store_builders.reserve(store, [one], owner=owner)
                store_builders.settle(
                    store,
                    [one],
                    next=chooser.choice([store_builders.ANSWER, store_builders.REFUSED, Requeue(0)]),
                )

    def take_away(_: int) -> None:
        while store_builders.row(store, batch_no)["status"] != "completed":
            time.sleep(0.04)
            ended = store_builders.outcomes(store, batch_no)
            assert {line: ended.get(line) for line in seen} == seen, "an outcome changed or went"
            seen.update(ended)
            store_builders.expire_leases(store)
            sweep.expire(store)
            sweep.regroup(store)

    store_builders.at_once(4, lambda n: take_away(n) if n == 0 else answer(n))
    store_builders.check_ledger(store, batch_no)
    ended = store_builders.outcomes(store, batch_no)
    assert len(ended) == 60
    assert {line: ended.get(line) for line in seen} == seen


def test_a_request_whose_workers_keep_dying_is_dead_in_the_end(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(4))
    sizes, losses = [], []
    for _ in range(sweep.MAX_LOSSES):
        sizes.append(max(len(group) for group in _groups(store, batch_no)))
        held = store_builders.held(store, batch_no)
        losses.append({one.losses for one in held})
        store_builders.reserve(store, held)
        store_builders.expire_leases(store)
        sweep.expire(store)
        sweep.regroup(store)
    assert sizes[-1] == 1, "at last it travels alone, so that its neighbours live"
    assert losses == [{0}, {1}, {sweep.SUSPECT_LOSSES}], "its worker knows what it has"
    assert store_builders.outcomes(store, batch_no) == dict.fromkeys(range(1, 5), "failed")
    assert_batch(store_builders.row(store, batch_no), status="completed")
    store_builders.check_ledger(store, batch_no)


def test_a_request_that_only_waited_at_a_dying_worker_is_not_blamed(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(4))
    for _ in range(sweep.MAX_LOSSES):
        held = store_builders.held(store, batch_no)
        store_builders.reserve(store, [min(held, key=lambda one: one.id)])  # the others wait behind it
        store_builders.expire_leases(store)
        sweep.expire(store)
        sweep.regroup(store)
    assert store_builders.outcomes(store, batch_no) == {1: "failed"}
    store_builders.check_ledger(store, batch_no)


def test_a_route_chunk_that_was_lost_starts_again_at_embedding(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(2, model=None))
    store_builders.claim_for_routing(store, batch_no)
    store_builders.expire_leases(store)
    sweep.expire(store)
    sweep.regroup(store)
    assert {one.stage for one in store_builders.claim(store, batch_no)} == {"embed"}


def test_a_lease_that_is_prolonged_is_not_taken(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(1))
    [held] = store_builders.claim(store, batch_no)
    store_builders.expire_leases(store)
    with store.write() as connection:
        chunks.extend(connection, [held.id], owner="worker", lease_s=60)
    assert sweep.expire(store) == 0


def test_due_requests_are_gathered_once_by_sweepers_at_once(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(30))
    store_builders.claim(store, batch_no)
    store_builders.expire_leases(store)
    sweep.expire(store)
    assert sum(store_builders.at_once(4, lambda _: sweep.regroup(store))) == 30
    with store.read() as connection:
        query = select(request.c.id).where(request.c.chunk_id.is_(None))
        assert connection.execute(query).first() is None


def _groups(store: Store, batch_no: int) -> list[list[int]]:
    query = select(chunk.c.id).where(chunk.c.batch_no == batch_no, chunk.c.state == "queued")
    with store.read() as connection:
        ids = [row.id for row in connection.execute(query)]
        return [[one.id for one in chunk_requests.requests_of(connection, chunk_id)] for chunk_id in ids]
