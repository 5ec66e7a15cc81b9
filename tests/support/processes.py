"""Processes that a test looks at from outside."""

from __future__ import annotations

from contextlib import suppress

import psutil


def is_alive(process: psutil.Process) -> bool:
    """Return whether a process runs: one that has ended may be a zombie for a moment."""
    with suppress(psutil.NoSuchProcess):
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    return False
