"""The alive file: a supervisor sees by its age whether a process is well, without starting a Python.

A thread touches it while the process's own loop turns. The loop calls `beat`; where it cannot, because it
waits for Redis or drains, it calls `rest` before: a restart would cure neither, and calls in flight would be
lost.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from celery import bootsteps

#: names the file; without it none is written
VARIABLE = "WAYBILL_ALIVE_FILE"
EVERY_S = 10.0
#: a loop that has not turned for this long hangs
HANGS_AFTER_S = 60.0


class AliveFile:
    """The alive file of this process, which does not exist before the first beat."""

    def __init__(
        self, path: Path, *, every_s: float = EVERY_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._path, self._every_s, self._clock = path, every_s, clock
        self._last = -math.inf
        self._never = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="alive file")

    def beat(self) -> None:
        """Note that the loop turns."""
        self._last = self._clock()
        if self._thread.ident is None:
            self._thread.start()

    def rest(self) -> None:
        """Note that the loop cannot beat for now, and that this is no fault."""
        self._last = math.inf

    def _run(self) -> None:
        while True:
            if self._clock() - self._last < HANGS_AFTER_S:
                self._path.touch()
            self._never.wait(self._every_s)


def alive_file(environment: Mapping[str, str] = os.environ) -> AliveFile | None:
    """Return the alive file that the environment names, None where it names none."""
    path = environment.get(VARIABLE)
    return AliveFile(Path(path)) if path else None


def beating_step(alive: AliveFile) -> type[bootsteps.StartStopStep]:
    """Return a bootstep of Celery's consumer: the event loop beats while the worker is connected to Redis."""

    class BeatAlive(bootsteps.StartStopStep):
        requires = ("celery.worker.consumer.tasks:Tasks",)

        def start(self, parent: Any) -> None:
            alive.beat()
            self.timer = parent.timer.call_repeatedly(EVERY_S, alive.beat)

        def stop(self, parent: Any) -> None:
            self.timer.cancel()
            alive.rest()

    return BeatAlive
