"""What a worker's processes use: resident memory and processors, where Linux tells it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tasks.store.health.workers import Load

_PROC = Path("/proc")


class LoadMeter:
    """The load of a process with all its children, since the last reading."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._before: tuple[float, float] | None = None

    def read(self) -> Load | None:
        """Return the load; None where the operating system does not tell it."""
        found = [used for pid in _family(self._root) if (used := _usage(pid))]
        if not found:
            return None
        now, seconds = time.monotonic(), sum(cpu_s for _, cpu_s in found)
        before, self._before = self._before, (now, seconds)
        cpu = None
        if before is not None and now > before[0]:  # a child that has ended takes its seconds along
            cpu = round(max(0.0, (seconds - before[1]) / (now - before[0])), 3)
        return Load(sum(memory for memory, _ in found), cpu)


def _family(root: int) -> Iterator[int]:
    """Yield a process and all that descend from it."""
    yield root
    for task in _PROC.glob(f"{root}/task/*/children"):
        with suppress(OSError):
            for child in task.read_text().split():
                yield from _family(int(child))


def _usage(pid: int) -> tuple[int, float] | None:
    """Return the resident bytes and the processor seconds of a process; None of one that has ended."""
    try:
        # The name of the program, in parentheses, may hold anything.
        fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        return int(fields[21]) * os.sysconf("SC_PAGE_SIZE"), (int(fields[11]) + int(fields[12])) / os.sysconf(
            "SC_CLK_TCK"
        )
    except (OSError, ValueError, IndexError):
        return None
