"""Requests that wait for a model that is no longer configured go to the next in their ranking."""

from collections import Counter

from tasks.store import chunks, decisions, unconfigured_models
from tasks.store.batch_options import BatchOptions
from tasks.store.engine import Store
from tasks.store.ids import request_id
from tasks.store.values import RoutedRequest
from tasks.upkeep.loop import Sweeper
from tests.support import store_builders
from tests.support.comparisons import assert_batch

N = 20
LEASE_S = 60.0


def routed(store: Store) -> int:
    """A batch of which every other request goes to `gone` first, and then to `next`."""
    batch_no = store_builders.submit(
        store, store_builders.lines(N, model=None), options=BatchOptions(chunk_size=N, group_size=4)
    )
    held = store_builders.claim_for_routing(store, batch_no)
    made = []
    for number in range(1, N + 1):
        ranking = ("gone", "absent", "next", "last") if number % 2 else ("last", "gone")
        made.append(
            RoutedRequest(request_id(batch_no, number), ranking[0], None, "{}", ranking, None, False, "x")
        )
    with store.write() as connection:
        decisions.record(connection, held, made)
    return batch_no


def waiting(store: Store, batch_no: int) -> Counter[str | None]:
    """Count the requests that wait for dispatch, by model."""
    return Counter(one.model for one in store_builders.held(store, batch_no, stage=chunks.DISPATCH))


def test_what_waits_for_a_model_that_is_gone_goes_to_the_next_and_nothing_fails(store: Store) -> None:
    batch_no = routed(store)
    Sweeper(store, LEASE_S, models=["next", "last"]).sweep()
    requests = store_builders.held(store, batch_no)
    assert sorted({(one.id % 2, one.model) for one in requests}) == [(0, "last"), (1, "next")]
    assert len(requests) == N
    store_builders.reserve(store, requests)
    store_builders.settle(store, requests)
    assert_batch(store_builders.row(store, batch_no), status="completed", succeeded=N)
    store_builders.check_ledger(store, batch_no)


def test_sweepers_at_once_move_each_request_once(store: Store) -> None:
    batch_no = routed(store)
    moved = store_builders.at_once(3, lambda _: unconfigured_models.reroute(store, ["next", "last"]))
    assert sum(moved) == N // 2
    assert waiting(store, batch_no) == {"next": N // 2, "last": N // 2}


def test_requests_that_may_not_move_do_not_stand_before_those_that_may(store: Store) -> None:
    store_builders.submit(store, store_builders.lines(4, model="gone"))
    routed(store)
    moved = sum(unconfigured_models.reroute(store, ["next", "last"], limit=1) for _ in range(60))
    assert moved == N // 2


def test_a_request_that_named_the_model_waits_for_it_and_is_told_of(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(3, model="gone"))
    assert unconfigured_models.reroute(store, ["next"]) == 0
    with store.read() as connection:
        assert unconfigured_models.waiting(connection, ["next"]) == {"gone": 3}
        assert unconfigured_models.waiting(connection, ["next", "gone"]) == {}
    assert waiting(store, batch_no) == {"gone": 3}


def test_calls_that_are_under_way_are_left_alone(store: Store) -> None:
    batch_no = routed(store)
    requests = store_builders.held(store, batch_no)
    assert unconfigured_models.reroute(store, ["next", "last"]) == 0
    store_builders.reserve(store, requests)
    store_builders.settle(store, requests)
    assert_batch(store_builders.row(store, batch_no), succeeded=N)
