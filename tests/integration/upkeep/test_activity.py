"""Idle upkeep sleeps, and wakes when another process makes work."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tasks.store.engine import Store
from tasks.upkeep import activity
from tasks.upkeep.activity import Activity, is_busy
from tests.support.store_builders import lines, submit
from tests.support.waiting import wait_until


@pytest.fixture
def sleeping(store_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Activity]:
    """Upkeep's activity on an empty store, asleep; its net would take an hour."""
    monkeypatch.setattr(activity, "NET_S", 3_600.0)
    store, stop = Store(store_url, is_worker=True), threading.Event()
    watched = Activity(store, stop, lease_s=36_000)
    watcher = threading.Thread(target=watched.watch)
    watcher.start()
    wait_until(lambda: _listens(watched), timeout_s=200)
    yield watched
    stop.set()
    watcher.join(200)
    assert not watcher.is_alive(), "it notices that it is to stop"
    store.close()


def _listens(watched: Activity) -> bool:
    """Return whether it sleeps, and has looked at the changes so far."""
    changes: Any = watched._changes
    is_ready = changes._connection is not None and getattr(changes, "_seen", 0) is not None
    return is_ready and not watched._awake.is_set()


def test_work_of_another_process_wakes_it(sleeping: Activity, store: Store) -> None:
    pause = threading.Thread(target=sleeping.pause, args=(3_600,))
    pause.start()
    assert pause.is_alive()
    submit(store, lines(3))
    pause.join(200)
    assert not pause.is_alive()
    with store.read() as connection:
        assert is_busy(connection)
    sleeping.pause(0.2)  # no longer until there is work


def test_what_makes_no_work_lets_it_sleep_on(sleeping: Activity, store: Store) -> None:
    for _ in range(3):
        with store.write() as connection:
            connection.exec_driver_sql("UPDATE batch SET spent = 0")
    time.sleep(1)
    assert not sleeping._awake.is_set()
