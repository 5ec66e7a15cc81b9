"""Processes of this machine: names, signals, loaded objects, and when one started: ids come again."""

from __future__ import annotations

import gc
import os
import secrets
import signal
import socket
import sys
import threading
from pathlib import Path
from queue import SimpleQueue


def process_name() -> str:
    """Return a name for this process that no other one ever has; it tells host and process id."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"


def set_at_signals(stop: threading.Event) -> None:
    """Set the event at SIGTERM and SIGINT; for the main thread.

    In a thread that is there before: a handler runs in the middle of what the main thread does. If that holds
    a lock for a moment, as a wait for the event does, the handler would wait for it for ever. Putting into a
    SimpleQueue needs none.
    """
    arrived: SimpleQueue[None] = SimpleQueue()

    def wait() -> None:
        arrived.get()
        stop.set()

    threading.Thread(target=wait, daemon=True).start()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: arrived.put(None))


def freeze_loaded_objects() -> None:
    """Exempt the objects loaded so far from garbage collection.

    They stay for good. To walk through all of them at a full collection takes a tenth of a second without
    LiteLLM, and with it a fifth of a call's time.
    """
    gc.collect()
    gc.freeze()


def start_time(pid: int) -> str:
    """Return when a process started, as text to be compared for equality only.

    Linux: clock ticks since boot, field 22 of `/proc/PID/stat` (proc(5)). Elsewhere: `lstart` of `ps`.

    Raises:
        OSError: There is no such process.
    """
    if sys.platform == "linux":
        # Field 2, the command's name in brackets, may hold blanks and brackets: count from its end.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    return _start_time_by_ps(pid)


def _start_time_by_ps(pid: int) -> str:
    import subprocess  # here: every command reads the settings, and few systems need this

    # `ps` writes in the caller's language and time zone, and the two callers may differ in both.
    environment = {**os.environ, "LC_ALL": "C", "TZ": "UTC"}
    command = ["ps", "-o", "lstart=", "-p", str(pid)]
    ended = subprocess.run(command, capture_output=True, text=True, env=environment)
    if ended.returncode:
        raise ProcessLookupError(pid)
    return ended.stdout.strip()
