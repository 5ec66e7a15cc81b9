"""Idle upkeep sleeps, and wakes when another process makes work."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from tasks.store.engine import Store
from tasks.upkeep import activity
from tasks.upkeep.activity import Activity, is_busy
from tests.support.store_builders import lines, submit
from tests.support.waiting import wait_until


@pytest.fixture
def sleeping(store_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Activity]:
    """Upkeep's activity on an empty store, asleep; its net would take a minute."""
    monkeypatch.setattr(activity, "NET_S", 60.0)
    store, stop = Store(store_url, is_worker=True), threading.Event()
    watched = Activity(store, stop, lease_s=3600)
    watcher = threading.Thread(target=watched.watch)
    watcher.start()
    wait_until(lambda: not watched._awake.is_set(), timeout_s=20)
    time.sleep(1)  # it listens
    yield watched
    stop.set()
    began = time.monotonic()
    watched.pause(60)
    watcher.join(20)
    assert time.monotonic() - began < 5
    store.close()


def slept(watched: Activity, seconds: float) -> float:
    began = time.monotonic()
    watched.pause(seconds)
    return time.monotonic() - began


def test_work_of_another_process_wakes_it(sleeping: Activity, store: Store) -> None:
    waker = threading.Timer(0.5, submit, args=(store, lines(3)))
    waker.start()
    assert 0.3 < slept(sleeping, 60) < 10
    waker.join()
    with store.read() as connection:
        assert is_busy(connection)
    assert slept(sleeping, 0.2) < 5


def test_what_makes_no_work_lets_it_sleep_on(sleeping: Activity, store: Store) -> None:
    for _ in range(3):
        with store.write() as connection:
            connection.exec_driver_sql("UPDATE batch SET spent = 0")
    time.sleep(1)
    assert not sleeping._awake.is_set()
