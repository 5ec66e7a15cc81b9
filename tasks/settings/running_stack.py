"""The local stack that runs in a home, as its file `run/stack.json` describes it.

The file is `{"pid", "born", "settings"}`: the supervisor's process id, its start time, and the settings that
the stack sets (its Redis, its models). A stack removes its file when it stops. A stack that was killed leaves
it behind, and its process id may since have gone to another process; the start time tells the two apart.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.processes import start_time

STACK_FILE = Path("run") / "stack.json"


@dataclass(frozen=True, kw_only=True)
class RunningStack:
    """A stack whose supervisor is alive."""

    pid: int
    settings: Mapping[str, Any]


def find_running_stack(home: Path) -> RunningStack | None:
    """Return the stack that runs in this home; None where none does, or its file cannot be read.

    Early versions wrote no start time. For their files the process id alone decides, as it did then.
    """
    try:
        stack = json.loads((home / STACK_FILE).read_text())
        pid, started, settings = int(stack["pid"]), stack.get("born"), dict(stack["settings"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return RunningStack(pid=pid, settings=settings) if _is_alive(pid, started) else None


def stack_file_text(settings: Mapping[str, Any]) -> str:
    """Return the content of the file for a stack that this process supervises."""
    pid = os.getpid()
    return json.dumps({"pid": pid, "born": start_time(pid), "settings": settings})


def _is_alive(pid: int, started: str | None) -> bool:
    try:
        if started is not None:
            return start_time(pid) == started
        os.kill(pid, 0)  # sends nothing; it fails where there is no such process
    except OSError:
        return False
    return True
