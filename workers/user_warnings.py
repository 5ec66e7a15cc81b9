"""Warnings that name the user's line, however deep in Waybill they are found."""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from pathlib import Path

_ROOT = Path(__file__).parent.parent
#: the folders of Waybill's code, and what enters its contexts. Names of modules say nothing: a user's own may
#: be called `tasks`.
_PASSED_OVER = (
    *(str(_ROOT / name) + os.sep for name in ("workers", "tasks", "router_core", "waybill")),
    contextlib.__file__,
)


def warn_user(text: str) -> None:
    """Give a UserWarning with the line that called Waybill."""
    warnings.warn(text, UserWarning, stacklevel=_level_of_caller())


def _level_of_caller() -> int:
    """Return the stack level, seen from `warn_user`, of the nearest code that is not Waybill's."""
    level, frame = 1, sys._getframe(1).f_back
    while frame is not None:
        level += 1
        if not frame.f_code.co_filename.startswith(_PASSED_OVER):
            return level
        frame = frame.f_back
    return level
