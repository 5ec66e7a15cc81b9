"""Flower's picture of the workers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tasks.events.names import GROUPS, HOLDS_S, QUEUES
from workers.flower.state import WaybillState

WORKER = "dispatch@host-1"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def state(clock: Clock) -> WaybillState:
    return WaybillState(clock=clock, max_tasks_in_memory=100)


@pytest.fixture
def tell(state: WaybillState) -> Callable[..., None]:
    def send(kind: str, *, worker: str = WORKER, **fields: Any) -> None:
        common = {"hostname": worker, "timestamp": 1.0, "local_received": 1.0, "clock": 1, "pid": 7}
        state.event({"type": kind, **common, **fields})

    return send


def test_groups_of_all_processes_of_a_worker_are_active_beside_its_tasks(
    state: WaybillState, tell: Callable[..., None]
) -> None:
    tell("worker-heartbeat", active=1)
    tell(GROUPS, pid=8, groups=3)
    tell(GROUPS, pid=9, groups=2)
    assert state.workers[WORKER].active == 6
    tell("worker-heartbeat", active=0)
    assert state.workers[WORKER].active == 5
    tell(GROUPS, pid=8, groups=0)
    assert state.workers[WORKER].active == 2


def test_groups_of_a_process_that_fell_silent_are_no_longer_active(
    state: WaybillState, tell: Callable[..., None], clock: Clock
) -> None:
    tell(GROUPS, pid=8, groups=3)
    clock.now = HOLDS_S + 1
    tell("worker-heartbeat", active=0)
    assert state.workers[WORKER].active == 0


def test_the_backlog_is_that_which_upkeep_told_last(
    state: WaybillState, tell: Callable[..., None], clock: Clock
) -> None:
    backlog = {"queue": "dispatch.small", "waiting": 4, "requests": 100, "claimed": 1, "oldest_s": 2.5}
    tell(QUEUES, worker="upkeep@host-2", queues=[backlog])
    assert state.queues() == {"dispatch.small": backlog}
    clock.now = HOLDS_S + 1
    assert state.queues() == {}
