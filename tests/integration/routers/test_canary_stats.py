"""The canary monitor rolls back a canary that does worse than the champion."""

from dataclasses import replace

import pytest
from sqlalchemy import update

from router_core.monitoring.canary import SampleStats
from tasks.store import decisions
from tasks.store.batch_options import BatchOptions
from tasks.store.engine import Store
from tasks.store.routers import canary_stats, roles
from tasks.store.tables import batch, outcome
from tasks.store.values import RoutedRequest
from tasks.upkeep.canary import CanaryMonitor
from tests.support import store_builders
from tests.support.routers import current_roles, promote, register

N = 400


def routed(store: Store, *, canary_fails: int) -> None:
    """Route a batch, every fourth request by the canary; `canary_fails` of the canary's requests fail."""
    batch_no = store_builders.submit(
        store, store_builders.lines(N, model=None), options=BatchOptions(chunk_size=N, group_size=N)
    )
    held = store_builders.claim_for_routing(store, batch_no)
    made = [
        RoutedRequest(
            batch_no << 32 | number, "small", None, "{}", '["small"]', None, False, "predicted_best",
            router_version="bbb1" if number % 4 == 0 else "aaa1",
            arm="canary" if number % 4 == 0 else "champion",
        )
        for number in range(1, N + 1)
    ]  # fmt: skip
    with store.write() as connection:
        decisions.record(connection, held, made)
    failing = {batch_no << 32 | number for number in range(4, 4 * canary_fails + 1, 4)}
    requests = store_builders.held(store, batch_no)
    store_builders.reserve(store, requests)
    for part, end in ((failing, store_builders.REFUSED), (None, store_builders.ANSWER)):
        selected = [one for one in requests if (one.id in failing) == (part is not None)]
        if selected:
            store_builders.settle(store, selected, next=end, cost=40)


@pytest.fixture
def canary_runs(store: Store) -> Store:
    register(store, "aaa1", "bbb1")
    promote(store, "aaa1")
    with store.write() as connection:
        roles.start_canary(connection, "bbb1", share=0.25)
    return store


def test_the_arms_have_the_failures_and_costs_of_their_requests(canary_runs: Store) -> None:
    routed(canary_runs, canary_fails=10)
    with canary_runs.read() as connection:
        running = canary_stats.read(connection)
    assert running is not None
    canary, champion = running.canary, running.champion
    assert (running.roles.canary, running.roles.share, running.judged_at) == ("bbb1", 0.25, None)
    assert (canary.batches, champion.batches) == (1, 1)
    assert (canary.failures.n, champion.failures.n) == (N // 4, N - N // 4)
    assert canary.failures.mean == pytest.approx(0.1)
    assert champion.failures.mean == 0
    assert champion.cost.mean == pytest.approx(0.000_04)


def test_a_version_that_is_tried_again_is_not_judged_on_its_earlier_trial(canary_runs: Store) -> None:
    routed(canary_runs, canary_fails=100)
    with canary_runs.write() as connection:
        connection.execute(update(batch).values(finished_at=batch.c.finished_at - 60_000))
        roles.start_canary(connection, "bbb1", share=0.25)
    routed(canary_runs, canary_fails=1)
    with canary_runs.read() as connection:
        running = canary_stats.read(connection)
    assert running is not None
    assert (running.canary.failures.n, running.canary.failures.mean) == (N // 4, pytest.approx(0.01))


def test_answers_of_earlier_batches_count_for_no_arm(canary_runs: Store) -> None:
    routed(canary_runs, canary_fails=0)
    with canary_runs.write() as connection:
        reused = outcome.c.request_id % 8 == 4
        connection.execute(update(outcome).where(reused).values(attempts=0, cost=0, status_code=200))
    with canary_runs.read() as connection:
        running = canary_stats.read(connection)
    assert running is not None
    canary, champion = running.canary, running.champion
    assert (canary.failures.n, champion.failures.n) == (N // 8, N - N // 4)
    assert canary.cost.mean == pytest.approx(0.000_04)


def test_judged_scores_are_kept_for_the_canary_that_was_measured_only(canary_runs: Store) -> None:
    measured = {arm: SampleStats.of([0.25, 0.75]) for arm in (roles.CANARY, roles.CHAMPION)}
    current = current_roles(canary_runs)
    for since in (current.since - 1, current.since):
        with canary_runs.write() as connection:
            canary_stats.record_judged(connection, replace(current, since=since), measured)
        with canary_runs.read() as connection:
            running = canary_stats.read(connection)
        assert running is not None
        assert (running.judged_at is not None) == (since == current.since)
    assert running.canary.quality == running.champion.quality == SampleStats(2, 0.5, 0.125)
    with canary_runs.write() as connection:
        roles.start_canary(connection, "bbb1", share=0.5)
        running = canary_stats.read(connection)
    assert running is not None
    assert (running.judged_at, running.canary.quality) == (None, SampleStats())


def test_a_failing_canary_is_rolled_back_once_and_the_reason_is_recorded(canary_runs: Store) -> None:
    routed(canary_runs, canary_fails=40)
    store_builders.at_once(3, lambda _: CanaryMonitor(canary_runs).check())
    assert current_roles(canary_runs) == roles.Roles("aaa1")
    with canary_runs.read() as connection:
        rolled = [event for event in roles.events(connection) if event[1] == "rolled_back"]
    assert [(version, reason) for _, _, version, reason in rolled] == [
        ("bbb1", "40.0% of its requests fail, 0.0% of the champion's")
    ]


def test_a_canary_as_good_as_the_champion_goes_on(canary_runs: Store) -> None:
    routed(canary_runs, canary_fails=0)
    CanaryMonitor(canary_runs).check()
    assert current_roles(canary_runs).canary == "bbb1"
