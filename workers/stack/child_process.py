"""A child process of the supervisor: it is started, watched, and stopped at the latest with its parent."""

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

from tasks.private_home import private_opener
from tasks.processes import start_time
from workers.stack.private_files import write_private

_PR_SET_PDEATHSIG = 1
_BACKOFF_S = 0.5
_BACKOFF_CAP_S = 30.0
#: A child that lived this long was stable: the backoff begins again.
_STABLE_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Program:
    """A program to run as a child process.

    Attributes:
        name: The name of its log and pid files.
        rank: Programs of lower ranks start first and stop last.
        stop_s: Seconds that the program may take to end after SIGTERM.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    rank: int = 1
    stop_s: float = 10.0


class ChildProcess:
    """A program that runs; its output goes to `<name>.log`, its process id to `<name>.pid`."""

    def __init__(self, program: Program, *, logs: Path, pids: Path) -> None:
        self.program = program
        self.log = logs / f"{program.name}.log"
        self._pid_file = pids / f"{program.name}.pid"
        self._process: subprocess.Popen[bytes] | None = None
        self._early_exits = 0
        self._started_at = 0.0

    @property
    def pid(self) -> int | None:
        """The process id; None before `start` and after `wait_or_kill`."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start the process in a process group of its own, so that Ctrl-C reaches the supervisor alone."""
        with open(self.log, "ab", opener=private_opener) as log:
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
        write_private(self._pid_file, f"{self._process.pid} {start_time(self._process.pid)}\n")

    def exit_status(self) -> int | None:
        """Return the exit status, -N after signal N; None while the process runs or was never started."""
        return self._process.poll() if self._process else None

    def pause_before_restart(self) -> float:
        """Return the seconds to wait before the next start: doubled with each early exit, up to a cap."""
        uptime = time.monotonic() - self._started_at
        self._early_exits = 1 if uptime > _STABLE_S else self._early_exits + 1
        return float(min(_BACKOFF_S * 2.0 ** (self._early_exits - 1), _BACKOFF_CAP_S))

    def terminate(self) -> None:
        """Send SIGTERM if the process runs."""
        if self._process and self._process.poll() is None:
            self._process.terminate()

    def wait_or_kill(self, deadline: float) -> bool:
        """Wait for the end of the process until `deadline` (monotonic seconds), then kill its group.

        Returns:
            Whether the process ended by itself.
        """
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
    """Kill the child of a supervisor that died without stopping it, and remove its pid file.

    Returns:
        The child's process id; None if it had ended already.
    """
    try:
        pid, started = pid_file.read_text().split(maxsplit=1)
        # Another process may have this id by now: only one with the same start time is the child.
        is_child = start_time(int(pid)) == started.strip()
        if is_child:
            os.killpg(int(pid), signal.SIGKILL)
    except (OSError, ValueError):
        is_child = False
    pid_file.unlink(missing_ok=True)
    return int(pid) if is_child else None


def _terminate_with_parent() -> Callable[[], None] | None:
    """Return a `preexec_fn` that makes Linux send the child SIGTERM when its parent ends (prctl(2))."""
    if sys.platform != "linux":
        return None
    # Loaded before the fork: the child must not take locks that another thread may hold.
    libc, parent = ctypes.CDLL(None), os.getpid()

    def prepare() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        # The parent may have ended before the call above.
        if os.getppid() != parent:
            os._exit(1)

    return prepare
