"""The sweeper: what a dead worker held goes back to work, and what has ended stays as it is."""

import random
import time

from sqlalchemy import select

from tasks.store import chunks, contents, sweep
from tasks.store.engine import Store
from tasks.store.tables import chunk, request
from tasks.store.values import Again, BatchOptions
from tests.support import work


def test_a_lost_chunk_is_dissolved_and_its_requests_come_back(store: Store) -> None:
    batch_no = work.submit(store, work.lines(4))
    work.claim(store, batch_no, owner="dead")
    assert sweep.expire(store) == 0
    work.expire_leases(store)
    assert sweep.expire(store) == 1
    assert work.states(store, batch_no) == {"ready": 4}
    assert sweep.regroup(store) == 4
    assert len(work.held(store, batch_no, owner="alive")) == 4


def test_a_call_whose_worker_died_is_charged_in_full_exactly_once(store: Store) -> None:
    batch_no = work.submit(store, work.lines(2), budget=200)
    requests = work.held(store, batch_no)
    work.reserve(store, requests[:1], worst=100)
    work.expire_leases(store)
    work.at_once(4, lambda _: sweep.expire(store))
    assert work.attempts(store, batch_no, 1) == [("unknown", 100)]
    assert work.attempts(store, batch_no, 2) == []
    assert work.row(store, batch_no)["spent"] == 100
    work.check_books(store, batch_no)


def test_an_answer_after_its_worker_was_given_up_changes_nothing(store: Store) -> None:
    batch_no = work.submit(store, work.lines(1))
    late = work.held(store, batch_no)
    work.reserve(store, late, worst=100)
    work.expire_leases(store)
    sweep.expire(store)
    sweep.regroup(store)
    again = work.held(store, batch_no, owner="second")
    work.reserve(store, again, worst=100, owner="second")
    work.settle(store, late, next=work.REFUSED, cost=1)
    assert work.outcomes(store, batch_no) == {}
    work.settle(store, again, cost=40)
    assert work.outcomes(store, batch_no) == {1: "succeeded"}
    assert work.attempts(store, batch_no, 1) == [("unknown", 100), ("succeeded", 40)]
    work.check_books(store, batch_no)


def test_a_sweeper_never_undoes_a_request_that_ended_while_it_swept(store: Store) -> None:
    batch_no = work.submit(store, work.lines(60), options=BatchOptions(group_size=2))
    seen: dict[int, str] = {}

    def answer(worker: int) -> None:
        chooser, owner = random.Random(worker), f"worker-{worker}"
        while work.row(store, batch_no)["status"] != "completed":
            requests = work.held(store, batch_no, owner=owner)
            for one in requests:
                work.reserve(store, [one], owner=owner)
                work.settle(store, [one], next=chooser.choice([work.ANSWER, work.REFUSED, Again(0)]))

    def take_away(_: int) -> None:
        while work.row(store, batch_no)["status"] != "completed":
            time.sleep(0.04)
            ended = work.outcomes(store, batch_no)
            assert ended.items() >= seen.items(), "an outcome changed or went"
            seen.update(ended)
            work.expire_leases(store)
            sweep.expire(store)
            sweep.regroup(store)

    work.at_once(4, lambda n: take_away(n) if n == 0 else answer(n))
    work.check_books(store, batch_no)
    ended = work.outcomes(store, batch_no)
    assert len(ended) == 60
    assert ended.items() >= seen.items()


def test_a_request_whose_workers_keep_dying_is_dead_in_the_end(store: Store) -> None:
    batch_no = work.submit(store, work.lines(4))
    sizes, losses = [], []
    for _ in range(sweep.MAX_LOSSES):
        sizes.append(max(len(group) for group in _groups(store, batch_no)))
        held = work.held(store, batch_no)
        losses.append({one.losses for one in held})
        work.reserve(store, held)
        work.expire_leases(store)
        sweep.expire(store)
        sweep.regroup(store)
    assert sizes[-1] == 1, "at last it travels alone, so that its neighbours live"
    assert losses == [{0}, {1}, {sweep.SUSPECT}], "its worker knows what it has"
    assert work.outcomes(store, batch_no) == dict.fromkeys(range(1, 5), "failed")
    assert work.row(store, batch_no)["status"] == "completed"
    work.check_books(store, batch_no)


def test_a_request_that_only_waited_at_a_dying_worker_is_not_blamed(store: Store) -> None:
    batch_no = work.submit(store, work.lines(4))
    for _ in range(sweep.MAX_LOSSES):
        held = work.held(store, batch_no)
        work.reserve(store, [min(held, key=lambda one: one.id)])  # the others wait behind it
        work.expire_leases(store)
        sweep.expire(store)
        sweep.regroup(store)
    assert work.outcomes(store, batch_no) == {1: "failed"}
    work.check_books(store, batch_no)


def test_a_route_chunk_that_was_lost_starts_again_at_embedding(store: Store) -> None:
    batch_no = work.submit(store, work.lines(2, model=None))
    [held] = work.claim(store, batch_no)
    with store.write() as connection:
        chunks.pass_on(connection, held, to_stage=chunks.ROUTE)
    work.claim(store, batch_no)
    work.expire_leases(store)
    sweep.expire(store)
    sweep.regroup(store)
    assert {one.stage for one in work.claim(store, batch_no)} == {"embed"}


def test_a_lease_that_is_prolonged_is_not_taken(store: Store) -> None:
    batch_no = work.submit(store, work.lines(1))
    [held] = work.claim(store, batch_no)
    work.expire_leases(store)
    with store.write() as connection:
        chunks.extend(connection, [held.id], owner="worker", lease_s=60)
    assert sweep.expire(store) == 0


def test_due_requests_are_gathered_once_by_sweepers_at_once(store: Store) -> None:
    batch_no = work.submit(store, work.lines(30))
    work.claim(store, batch_no)
    work.expire_leases(store)
    sweep.expire(store)
    assert sum(work.at_once(4, lambda _: sweep.regroup(store))) == 30
    with store.read() as connection:
        query = select(request.c.id).where(request.c.chunk_id.is_(None))
        assert connection.execute(query).first() is None


def _groups(store: Store, batch_no: int) -> list[list[int]]:
    query = select(chunk.c.id).where(chunk.c.batch_no == batch_no, chunk.c.state == "queued")
    with store.read() as connection:
        ids = [row.id for row in connection.execute(query)]
        return [[one.id for one in contents.requests_of(connection, chunk_id)] for chunk_id in ids]
