"""Upkeep beside a batch on which its work fails each time: those after it are worked on all the same."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from sqlalchemy import select, update

from tasks.stages.dispatch.repository import DispatchRepository
from tasks.store import (
    deletion,
    isolation,
    process_counters,
    reservations,
    sweep,
    unconfigured_models,
    waiting,
)
from tasks.store.engine import Store
from tasks.store.page import figures
from tasks.store.page.tables import batch_figures
from tasks.store.tables import batch, chunk
from tasks.store.unlocked import folding
from tasks.upkeep.loop import Sweeper
from tasks.upkeep.retention import Retention
from tests.support import store_builders
from tests.support.stores import POSTGRESQL_ONLY
from tests.support.unreadable_options import break_options


@pytest.fixture(autouse=True)
def nothing_reported() -> None:
    """What one test has logged, another may log again."""
    isolation.report.cache_clear()


def two_batches(store: Store, *, model: str | None = "small") -> tuple[int, int]:
    """Return a batch that will be broken, and a healthy one after it."""
    broken, healthy = (store_builders.submit(store, store_builders.lines(2, model=model)) for _ in range(2))
    return broken, healthy


def fails_for(broken: int, work: Any) -> Any:
    """Return a function like `work` that fails where the number of its batch is `broken`."""

    def failing(*arguments: Any, **options: Any) -> Any:
        if broken in arguments:
            raise KeyError("a value that no Waybill of today stores")
        return work(*arguments, **options)

    return failing


def test_due_requests_are_gathered(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    broken, healthy = two_batches(store)
    for one in (broken, healthy):
        store_builders.claim(store, one)
    store_builders.expire_leases(store)
    sweep.expire(store)
    break_options(store, broken)
    for _ in range(3):
        sweep.regroup(store)
    assert [store_builders.states(store, one) for one in (broken, healthy)] == [{"ready": 2}, {"held": 2}]
    assert caplog.messages == [f"batch {broken} is passed over: UnreadableOptions"], "it is logged once"


def test_leases_that_ran_out_are_taken_back(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    broken, healthy = two_batches(store)
    for one in (broken, healthy):
        store_builders.claim(store, one)
    store_builders.expire_leases(store)
    monkeypatch.setattr(sweep, "_reclaim", fails_for(broken, sweep._reclaim))
    sweep.expire(store)
    assert [store_builders.states(store, one) for one in (broken, healthy)] == [{"held": 2}, {"ready": 2}]


def test_requests_of_a_model_that_is_gone_are_sent_elsewhere(store: Store) -> None:
    broken, healthy = two_batches(store, model=None)
    for one in (broken, healthy):
        store_builders.route_all(store, one, model="gone")
    with store.write() as connection:
        connection.exec_driver_sql("""UPDATE decision SET ranking = '["gone", "small"]'""")
    break_options(store, broken)
    assert unconfigured_models.reroute(store, ["small"]) == 2
    with store.read() as connection:
        waits = select(chunk.c.batch_no, chunk.c.queue).where(chunk.c.state == "queued")
        found = dict(connection.execute(waits).all())
    assert found == {broken: "dispatch.gone", healthy: "dispatch.small"}


def test_money_is_looked_for(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = [store_builders.submit(store, store_builders.lines(2), budget=100) for _ in range(2)]
    for one in numbers:
        first, second = store_builders.held(store, one)
        store_builders.reserve(store, [first])
        with store.write() as connection:
            later = [store_builders.reservation(second)]
            assert reservations.put_off(connection, one, later, owner="worker").waiting
    with store.write() as connection:
        connection.execute(update(batch).values(budget=1_000))
    broken, healthy = numbers
    monkeypatch.setattr(waiting, "wake", fails_for(broken, waiting.wake))
    sweep.wake(store)
    with store.read() as connection:
        assert [waiting.count(connection, one) for one in (broken, healthy)] == [1, 0]


@POSTGRESQL_ONLY
def test_what_dead_processes_left_is_folded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = two_batches(store)
    for one in numbers:
        requests = store_builders.held(store, one)
        store_builders.reserve(store, requests)
        settlements = [store_builders.settlement(each) for each in requests]
        assert DispatchRepository(store, "worker").settle(one, settlements)
    fold = folding.deltas.fold
    monkeypatch.setattr(
        folding.deltas, "fold", lambda connection, row: 1 / (row["no"] - numbers[0]) and fold(connection, row)
    )
    folding.fold_all(store)
    assert [store_builders.row(store, one)["status"] for one in numbers] == ["in_progress", "completed"]


def test_old_texts_are_deleted(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = two_batches(store)
    for one in numbers:
        store_builders.settle_all(store, one, model="small")
    broken, _ = numbers
    monkeypatch.setattr(deletion, "clear", fails_for(broken, deletion.clear))
    with store.write() as connection:
        connection.execute(update(batch).values(finished_at=1))
    Retention(store, 1, threading.Event()).apply()
    with store.read() as connection:
        assert deletion.unfinished(connection) == [broken]


def test_counters_that_a_newer_process_left_keep_no_sweep_from_its_end(store: Store) -> None:
    process_counters.add(store, "newer", "dispatch", {"calls": 1})
    counted = process_counters.process_counters
    with store.write() as connection:
        connection.execute(
            update(counted).values(counters={"calls": 1, "of_a_newer": {"x": 1}}, written_at=1)
        )
    Sweeper(store, 60).sweep()
    with store.read() as connection:
        assert process_counters.sums(connection) == {"calls": 1}
        assert list(connection.execute(select(counted.c.process)).scalars()) == ["ended:dispatch"]


def test_figures_that_a_newer_waybill_stored_are_counted_anew(store: Store) -> None:
    numbers = two_batches(store)
    for one in numbers:
        store_builders.settle_all(store, one, model="small")
    figures.look(store)
    newer = {"course": {"in": "another form"}, "parts": {"models": [{"of": "a newer"}]}, "sampled_at": 0}
    with store.write() as connection:
        connection.execute(update(batch_figures).where(batch_figures.c.batch_no == numbers[0]).values(newer))
    assert figures.look(store) == 1
    while figures.count_one(store):
        pass
    with store.read() as connection:
        found = figures.of_batches(connection, numbers)
    assert [found[one].counted_done for one in numbers] == [2, 2]
