"""One child process of the supervisor: started, watched, and stopped with its parent at the latest."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tasks.processes import start_time

_PR_SET_PDEATHSIG = 1
_BACKOFF_S = 0.5
_BACKOFF_CAP_S = 30.0
#: a child that lived this long starts with a clean sheet
_STABLE_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Program:
    """What to run.

    `rank`: lower ranks start first and stop last. `stop_s`: how long it may take to end after SIGTERM.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    rank: int = 1
    stop_s: float = 10.0


class ChildProcess:
    """A running program; its output goes to `<name>.log`, its process id to `<name>.pid`."""

    def __init__(self, program: Program, *, logs: Path, pids: Path) -> None:
        self.program = program
        self.log = logs / f"{program.name}.log"
        self._pid_file = pids / f"{program.name}.pid"
        self._process: subprocess.Popen[bytes] | None = None
        self._early_exits = 0
        self._started_at = 0.0

    @property
    def pid(self) -> int | None:
        """Its process id while it is started."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Spawn it in a process group of its own: a Ctrl-C in the terminal is the supervisor's to handle."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.program.command,
                env={**os.environ, **self.program.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0,
                preexec_fn=_terminate_with_parent(),
            )
        self._started_at = time.monotonic()
        self._pid_file.write_text(f"{self._process.pid} {start_time(self._process.pid)}\n")

    def exit_status(self) -> int | None:
        """Return the exit status (negative: the signal that ended it), None while it runs or was never started."""
        return self._process.poll() if self._process else None

    def pause_before_restart(self) -> float:
        """Seconds to wait before it may start again: doubles with each early end, up to a cap."""
        lived = time.monotonic() - self._started_at
        self._early_exits = 1 if lived > _STABLE_S else self._early_exits + 1
        return float(min(_BACKOFF_S * 2.0 ** (self._early_exits - 1), _BACKOFF_CAP_S))

    def terminate(self) -> None:
        """Ask it to end."""
        if self._process and self._process.poll() is None:
            self._process.terminate()

    def wait_or_kill(self, deadline: float) -> bool:
        """Wait until it is gone; at the deadline its group gets SIGKILL, and the answer is False."""
        if self._process is None:
            return True
        try:
            self._process.wait(max(0.0, deadline - time.monotonic()))
            return True
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            return False
        finally:
            self._process = None
            self._pid_file.unlink(missing_ok=True)


def kill_leftover(pid_file: Path) -> int | None:
    """Kill the child of a supervisor that died without stopping it; returns its process id if it lived."""
    try:
        pid, born = pid_file.read_text().split(maxsplit=1)
        # The number may belong to another process by now: only the one that was born then is ours.
        ours = start_time(int(pid)) == born.strip()
        if ours:
            os.killpg(int(pid), signal.SIGKILL)
    except (OSError, ValueError):
        ours = False
    pid_file.unlink(missing_ok=True)
    return int(pid) if ours else None


def _terminate_with_parent() -> Callable[[], None] | None:
    """Return what makes a Linux child get SIGTERM when its parent is gone, however that ended."""
    if sys.platform != "linux":
        return None
    # Loaded before the fork: the child must not take locks that another thread may hold.
    libc, parent = ctypes.CDLL(None), os.getpid()

    def prepare() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)

    return prepare
