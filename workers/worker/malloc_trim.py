"""Free memory goes back to the system: a worker that runs for weeks keeps the size of its work.

glibc returns free memory only from a heap's end. A dispatch process makes thousands of short-lived strings a
second, some of which outlive their neighbours, so its heap's end stays taken while holes pile up behind it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

EVERY_S = 30.0


def trim_periodically(every_s: float = EVERY_S) -> None:
    """Trim from now on, in a thread of its own; does nothing where the C library is not glibc."""
    trim = find_malloc_trim()
    if trim is None:
        return

    def trim_for_ever() -> None:
        while True:
            time.sleep(every_s)
            trim()

    threading.Thread(target=trim_for_ever, name="trimming", daemon=True).start()


def find_malloc_trim() -> Callable[[], None] | None:
    """glibc's `malloc_trim`, which other threads need not wait for in Python; None without glibc."""
    import ctypes  # not with the module: every command of the line would pay for it

    try:
        malloc_trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError):
        return None
    return lambda: malloc_trim(0)
