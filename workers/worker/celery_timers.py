"""The timers of a worker's tasks: Celery forgets none before it is due.

A task's time limit is a timer, cancelled when the task ends and kept until it would have gone off: 25 minutes
of tasks, half a kilobyte each. A busy dispatch worker would hold ten thousand.
"""

from __future__ import annotations

import heapq
from typing import Any

from celery import bootsteps
from kombu.asynchronous.timer import Timer

EVERY_S = 60.0


class DropCancelledTimers(bootsteps.Step):
    """Makes a worker forget cancelled timers every minute."""

    requires = ("celery.worker.components:Timer",)

    def include_if(self, parent: Any) -> bool:
        """Only where one event loop does everything: elsewhere timers are another thread's."""
        return bool(parent.use_eventloop)

    def create(self, parent: Any) -> None:
        """Called by Celery once the worker has its timer."""
        parent.timer.call_repeatedly(EVERY_S, drop_cancelled_timers, (parent.timer,))


def drop_cancelled_timers(timer: Timer) -> None:
    """Take the cancelled entries out of kombu's timer."""
    kept = [event for event in timer._queue if not event.entry.canceled]
    heapq.heapify(kept)
    # In place: the event loop that fires the timers holds the list.
    timer._queue[:] = kept
