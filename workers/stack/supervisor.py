"""Runs programs as child processes: restarts those that end, and stops all of them in order."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path

from tasks.private_home import make_folder
from workers.stack import log_files
from workers.stack.child_process import ChildProcess, Program, kill_leftover

#: how often it is looked whether a log has grown too large
_LOGS_EVERY_S = 10.0


class Supervisor:
    """Keeps programs running until `stop` is called.

    Call everything from one thread, and let that thread outlive the children: Linux ends a child together
    with the thread that started it (PR_SET_PDEATHSIG in prctl(2)).
    """

    def __init__(self, *, logs: Path, pids: Path, notify: Callable[[str], None]) -> None:
        """Kill the children that an earlier supervisor left behind; `notify` gets a line for each event."""
        self._logs, self._pids, self._notify = logs, pids, notify
        self._children: list[ChildProcess] = []
        self._restart_at: dict[ChildProcess, float] = {}
        self._look_at_logs_at = 0.0
        for directory in (logs, pids):
            make_folder(directory)
        for pid_file in sorted(pids.glob("*.pid")):
            if pid := kill_leftover(pid_file):
                notify(f"ended {pid_file.stem} (process {pid}), left behind by an earlier run")

    @property
    def pids(self) -> dict[str, int]:
        """The process ids of the running children, by program name."""
        return {child.program.name: child.pid for child in self._children if child.pid is not None}

    def start(self, programs: Iterable[Program]) -> None:
        """Start programs by rank and supervise them from now on."""
        for program in sorted(programs, key=lambda program: program.rank):
            child = ChildProcess(program, logs=self._logs, pids=self._pids)
            log_files.begin_anew(child.log)
            child.start()
            self._children.append(child)

    def poll(self) -> None:
        """Check every child once, and restart those that ended; to be called several times a second."""
        self._rotate_logs()
        for child in self._children:
            if child in self._restart_at:
                self._restart_if_due(child)
            elif (status := child.exit_status()) is not None:
                self._schedule_restart(child, status)

    def _rotate_logs(self) -> None:
        if time.monotonic() >= self._look_at_logs_at:
            self._look_at_logs_at = time.monotonic() + _LOGS_EVERY_S
            for child in self._children:
                log_files.rotate_if_large(child.log)

    def stop(self) -> None:
        """Stop all children, the highest rank first, those of one rank at the same time."""
        for rank in sorted({child.program.rank for child in self._children}, reverse=True):
            self._stop_together([child for child in self._children if child.program.rank == rank])
        self._children.clear()
        self._restart_at.clear()

    def _schedule_restart(self, child: ChildProcess, status: int) -> None:
        pause = child.pause_before_restart()
        how = f"signal {-status}" if status < 0 else f"status {status}"
        self._notify(f"{child.program.name} ended with {how}; starts again in {pause:g} s (log: {child.log})")
        self._restart_at[child] = time.monotonic() + pause

    def _restart_if_due(self, child: ChildProcess) -> None:
        if time.monotonic() >= self._restart_at[child]:
            del self._restart_at[child]
            child.start()

    def _stop_together(self, children: list[ChildProcess]) -> None:
        for child in children:
            child.terminate()
        now = time.monotonic()
        for child in children:
            if not child.wait_or_kill(now + child.program.stop_s):
                self._notify(f"{child.program.name} did not end in {child.program.stop_s:g} s and was killed")
