"""`[retention]`: the upkeep worker deletes what is too old, and goes on with deletions that broke off."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from sqlalchemy import update

from tasks.settings import Settings
from tasks.store import deletion
from tasks.store.engine import Store
from tasks.store.tables import batch
from tasks.upkeep.loop import run_upkeep
from tasks.upkeep.retention import Retention
from tests.support import store_builders
from tests.support.waiting import wait_until

DAY_MS = 86_400_000


def _answered(store: Store, *, days_ago: float) -> int:
    number = store_builders.submit(store, store_builders.lines(3))
    store_builders.settle_all(store, number, model="small")
    with store.write() as connection:
        ended = batch.c.finished_at - int(days_ago * DAY_MS)
        connection.execute(update(batch).where(batch.c.no == number).values(finished_at=ended))
    return number


def _is_deleted(store: Store, number: int) -> bool:
    row = store_builders.row(store, number)
    with store.read() as connection:
        return row["data_deleted_at"] is not None and number not in deletion.unfinished(connection)


def test_what_ended_too_long_ago_is_deleted_and_nothing_else(store: Store) -> None:
    old, young = _answered(store, days_ago=3), _answered(store, days_ago=1)
    running = store_builders.submit(store, store_builders.lines(1))
    Retention(store, 2, threading.Event()).apply()
    assert [_is_deleted(store, number) for number in (old, young, running)] == [True, False, False]


def test_without_a_limit_nothing_is_marked(store: Store) -> None:
    number = _answered(store, days_ago=10_000)
    Retention(store, None, threading.Event()).apply()
    assert not _is_deleted(store, number)


def test_what_still_runs_beside_an_old_batch_puts_its_deletion_off(store: Store) -> None:
    number = _answered(store, days_ago=3)
    copy = store_builders.submit(store, store_builders.lines(1), payer_no=number)
    retention = Retention(store, 2, threading.Event())
    retention.apply()
    assert not _is_deleted(store, number)
    store_builders.settle_all(store, copy, model="small")
    retention.apply()
    assert [_is_deleted(store, one) for one in (number, copy)] == [True, True]


def test_a_deletion_that_broke_off_is_finished_also_without_a_limit(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deletion, "PAGE", 1)
    number = _answered(store, days_ago=0)
    with store.write() as connection:
        deletion.mark(connection, str(store_builders.row(store, number)["id"]))
    stopped = threading.Event()
    stopped.set()
    Retention(store, None, stopped).apply()
    assert not _is_deleted(store, number)
    Retention(store, None, threading.Event()).apply()
    assert _is_deleted(store, number)


def test_one_that_is_refused_holds_up_no_other(store: Store) -> None:
    first, second = _answered(store, days_ago=3), _answered(store, days_ago=3)
    options = replace(store_builders.OPTIONS)
    store_builders.submit(store, store_builders.lines(1), options=options, payer_no=first)
    Retention(store, 2, threading.Event()).apply()
    assert [_is_deleted(store, number) for number in (first, second)] == [False, True]


def test_the_upkeep_worker_applies_the_days_of_the_settings(
    store: Store, store_url: str, redis_url: str
) -> None:
    old, young = _answered(store, days_ago=3), _answered(store, days_ago=1)
    settings = Settings.model_validate(
        {"store": {"url": store_url}, "redis": {"url": redis_url}, "retention": {"days": 2}}
    )
    stop = threading.Event()
    upkeep = threading.Thread(target=run_upkeep, args=(settings, stop))
    upkeep.start()
    try:
        wait_until(lambda: _is_deleted(store, old), timeout_s=200)
    finally:
        stop.set()
        upkeep.join()
    assert not _is_deleted(store, young)
