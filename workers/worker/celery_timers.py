"""Cancelled timers leave a worker's memory every minute; kombu keeps them until they are due.

A task's time limit is a timer, cancelled when the task ends. kombu would keep it for the 25 minutes of the
limit, at half a kilobyte each: ten thousand of them in a busy dispatch worker.
"""

from __future__ import annotations

import heapq
from typing import Any

from celery import bootsteps
from kombu.asynchronous.timer import Timer

EVERY_S = 60.0


class DropCancelledTimers(bootsteps.Step):
    """A Celery bootstep that drops cancelled timers every minute."""

    requires = ("celery.worker.components:Timer",)

    def include_if(self, parent: Any) -> bool:
        """Return whether one event loop runs everything: elsewhere another thread owns the timers."""
        return bool(parent.use_eventloop)

    def create(self, parent: Any) -> None:
        """Start; Celery calls it once the worker has its timer."""
        parent.timer.call_repeatedly(EVERY_S, drop_cancelled_timers, (parent.timer,))


def drop_cancelled_timers(timer: Timer) -> None:
    """Remove the cancelled entries from kombu's timer."""
    kept = [event for event in timer._queue if not event.entry.canceled]
    heapq.heapify(kept)
    # In place: the event loop holds a reference to the list.
    timer._queue[:] = kept
