"""Waiting for what another process or thread does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(condition: Callable[[], T], *, timeout_s: float, every_s: float = 0.05) -> T:
    """Call `condition` until it is true; returns its value. A failure shows the last value."""
    deadline = time.monotonic() + timeout_s
    while not (value := condition()):
        code = getattr(condition, "__code__", None)
        where = f"{code.co_filename}:{code.co_firstlineno}" if code else repr(condition)
        assert time.monotonic() < deadline, f"still {value!r} after {timeout_s} s: {where}"
        time.sleep(every_s)
    return value
