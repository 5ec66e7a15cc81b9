"""Flower's picture of the workers, completed by the events of `tasks.events`."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

from flower.events import EventsState

from tasks.events.names import GROUPS, HOLDS_S, QUEUES


class WaybillState(EventsState):
    """The state of workers and tasks: a worker's accepted groups are active until their calls have ended."""

    def __init__(self, *args: Any, clock: Callable[[], float] = time.monotonic, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._clock = clock
        #: by worker and process: the groups that it holds, and when it said so
        self._held: defaultdict[str, dict[int, tuple[int, float]]] = defaultdict(dict)
        #: by worker: what Celery counts itself
        self._active: dict[str, int] = {}
        self._queues: tuple[list[dict[str, Any]], float] = ([], 0.0)

    def event(self, event: dict[str, Any]) -> None:
        """Take an event in."""
        kind, worker = event["type"], event["hostname"]
        if kind == GROUPS:
            self._held[worker][event["pid"]] = (event["groups"], self._clock())
        elif kind == QUEUES:
            self._queues = (event["queues"], self._clock())
        elif kind == "worker-heartbeat":
            self._active[worker] = event.get("active") or 0
            event = {**event, "active": self._active[worker] + self.held(worker)}
        elif kind == "worker-offline":
            self._held.pop(worker, None)
        if kind in (GROUPS, QUEUES):
            self._count_active(worker)
            return
        super().event(event)

    def held(self, worker: str) -> int:
        """Return how many groups the processes of a worker hold; those that fell silent hold none."""
        since = self._clock() - HOLDS_S
        return sum(groups for groups, told in self._held[worker].values() if told > since)

    def queues(self) -> Mapping[str, Mapping[str, Any]]:
        """Return the backlog of each queue in the store by its name; nothing where upkeep fell silent."""
        found, told = self._queues
        return {one["queue"]: one for one in found} if self._clock() - told < HOLDS_S else {}

    def _count_active(self, worker: str) -> None:
        if worker in self._active and worker in self.workers:
            self.workers[worker].active = self._active[worker] + self.held(worker)
