"""A model that is configured no more is routed around: what waits for it goes to the next in its ranking."""

import json

from tasks.store import chunks, decisions, gone
from tasks.store.engine import Store
from tasks.store.keys import request_id
from tasks.store.values import BatchOptions, RoutedRequest
from tasks.upkeep.loop import Sweeper
from tests.support import work

N = 20
LEASE_S = 60.0


def routed(store: Store) -> int:
    """A batch of which every other request goes to `gone` first, and then to `next`."""
    batch_no = work.submit(store, work.lines(N, model=None), options=BatchOptions(chunk_size=N, group_size=4))
    [held] = work.claim(store, batch_no)
    with store.write() as connection:
        chunks.pass_on(connection, held, to_stage=chunks.ROUTE)
    [held] = work.claim(store, batch_no)
    made = []
    for number in range(1, N + 1):
        ranking = ["gone", "absent", "next", "last"] if number % 2 else ["last", "gone"]
        made.append(
            RoutedRequest(
                request_id(batch_no, number), ranking[0], None, "{}", json.dumps(ranking), None, False, "x"
            )
        )
    with store.write() as connection:
        decisions.record(connection, held, made)
    return batch_no


def waiting(store: Store, batch_no: int) -> dict[str | None, int]:
    counts: dict[str | None, int] = {}
    for one in work.held(store, batch_no, stage=chunks.DISPATCH):
        counts[one.model] = counts.get(one.model, 0) + 1
    return counts


def test_what_waits_for_a_model_that_is_gone_goes_to_the_next_and_nothing_fails(store: Store) -> None:
    batch_no = routed(store)
    Sweeper(store, LEASE_S, models=["next", "last"]).sweep()
    requests = work.held(store, batch_no)
    assert sorted({(one.id % 2, one.model) for one in requests}) == [(0, "last"), (1, "next")]
    assert len(requests) == N
    work.reserve(store, requests)
    work.settle(store, requests)
    assert work.row(store, batch_no)["status"] == "completed"
    assert work.row(store, batch_no)["succeeded"] == N
    work.check_books(store, batch_no)


def test_sweepers_at_once_move_each_request_once(store: Store) -> None:
    batch_no = routed(store)
    moved = work.at_once(3, lambda _: gone.reroute(store, ["next", "last"]))
    assert sum(moved) == N // 2
    assert waiting(store, batch_no) == {"next": N // 2, "last": N // 2}


def test_a_request_that_named_the_model_waits_for_it_and_is_told_of(store: Store) -> None:
    batch_no = work.submit(store, work.lines(3, model="gone"))
    assert gone.reroute(store, ["next"]) == 0
    with store.read() as connection:
        assert gone.waiting(connection, ["next"]) == {"gone": 3}
        assert gone.waiting(connection, ["next", "gone"]) == {}
    assert waiting(store, batch_no) == {"gone": 3}


def test_calls_that_are_under_way_are_left_alone(store: Store) -> None:
    batch_no = routed(store)
    requests = work.held(store, batch_no)
    assert gone.reroute(store, ["next", "last"]) == 0
    work.reserve(store, requests)
    work.settle(store, requests)
    assert work.row(store, batch_no)["succeeded"] == N
