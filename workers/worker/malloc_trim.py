"""Free memory goes back to the system (malloc_trim(3)), so that a worker does not grow for weeks.

By itself glibc returns free memory only from a heap's end. A dispatch process makes thousands of short-lived
strings a second, and some outlive their neighbours: the heap's end stays in use while free blocks collect
below it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

EVERY_S = 30.0


def trim_periodically(every_s: float = EVERY_S) -> None:
    """Start a thread that trims from now on; do nothing where the C library is not glibc."""
    trim = find_malloc_trim()
    if trim is None:
        return

    def trim_forever() -> None:
        while True:
            time.sleep(every_s)
            trim()

    threading.Thread(target=trim_forever, name="trimming", daemon=True).start()


def find_malloc_trim() -> Callable[[], None] | None:
    """Return a call of glibc's `malloc_trim(0)`, which releases the GIL; None without glibc."""
    import ctypes  # here: every command would pay for it at import

    try:
        malloc_trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError):
        return None
    return lambda: malloc_trim(0)
