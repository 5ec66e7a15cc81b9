"""The events of a dispatch process and of upkeep, as Flower receives them."""

from __future__ import annotations

import queue
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from celery import Celery
from celery.events import EventReceiver

from tasks.app import create_app
from tasks.events.names import GROUPS, QUEUES
from tasks.settings import RedisSettings, Settings
from tasks.stages.dispatch.held_groups import HeldGroup, HeldGroups
from tasks.stages.dispatch.reports import GroupReports
from tasks.store.engine import Store
from tasks.store.values import Requeue, Settlement
from tasks.upkeep.presence import Presence
from tests.support import store_builders

#: far more than an event takes
PATIENCE_S = 60.0


@pytest.fixture
def app(redis_url: str) -> Iterator[Celery]:
    made = create_app(Settings(redis=RedisSettings(url=redis_url)))
    yield made
    made.close()


@pytest.fixture
def next_event(app: Celery) -> Iterator[Callable[[str, str], dict[str, Any]]]:
    """Returns the next event of a type from a host."""
    received: queue.Queue[dict[str, Any]] = queue.Queue()
    ready, stop = threading.Event(), threading.Event()

    def listen() -> None:
        with app.connection() as connection:
            receiver = EventReceiver(connection, handlers={"*": received.put}, app=app)
            with receiver.consumer_context() as (consuming, _channel, _consumers):
                while not stop.is_set():
                    with suppress(TimeoutError):
                        consuming.drain_events(timeout=0.2)
                    ready.set()  # it subscribes when it first drains

    listener = threading.Thread(target=listen)
    listener.start()
    assert ready.wait(PATIENCE_S)

    def next_of(kind: str, host: str) -> dict[str, Any]:
        while True:
            event = received.get(timeout=PATIENCE_S)
            if (event["type"], event["hostname"]) == (kind, host):
                return event

    yield next_of
    stop.set()
    listener.join()


def _failed(request_id: int) -> Settlement:
    return Settlement(
        batch_no=1, chunk_id=7, request_id=request_id, number=1, state="failed", next=Requeue(1.0),
        error_code="server_error",
    )  # fmt: skip


def test_a_group_is_reported_while_it_is_held_and_ends_with_its_runtime_and_failure(
    app: Celery, next_event: Callable[[str, str], dict[str, Any]]
) -> None:
    host, task = f"dispatch@{secrets.token_hex(4)}", secrets.token_hex(8)
    reports = GroupReports(app)
    groups = HeldGroups(reports.ended)
    group = HeldGroup(7, task, host, {1, 2})
    group.accepted_at -= 5.0
    groups.add(group)
    reports.watch(groups, host)
    assert next_event(GROUPS, host)["groups"] == 1
    groups.settled(_failed(1))
    groups.settled(_failed(2))
    end = next_event("task-failed", host)
    assert (end["uuid"], end["exception"]) == (task, "2 of 2 calls failed: server_error x2")
    assert end["runtime"] >= 5.0
    while next_event(GROUPS, host)["groups"]:
        pass  # it was counted before the end


def test_upkeep_is_a_worker_and_tells_each_queue_s_backlog(
    app: Celery, store: Store, next_event: Callable[[str, str], dict[str, Any]]
) -> None:
    model = f"model-{secrets.token_hex(4)}"
    batch_no = store_builders.submit(store, [store_builders.line(n, model=model) for n in range(1, 11)])
    presence = Presence(app, store)
    presence.beat()
    assert next_event("worker-heartbeat", presence.hostname)["active"] == 0
    [told] = next_event(QUEUES, presence.hostname)["queues"]
    expected = {"queue": f"dispatch.{model}", "waiting": 3, "requests": 10, "claimed": 0}
    assert {key: told[key] for key in expected} == expected
    store_builders.claim(store, batch_no)
    presence.beat()
    [told] = next_event(QUEUES, presence.hostname)["queues"]
    assert (told["waiting"], told["requests"], told["claimed"], told["oldest_s"]) == (0, 0, 3, 0)
    presence.leave()
    assert next_event("worker-offline", presence.hostname)
