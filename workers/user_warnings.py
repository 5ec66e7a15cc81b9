"""Warnings that name the user's line, however deep in Waybill they are found, also in a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import warnings
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Self

_ROOT = Path(__file__).parent.parent
#: the folders of Waybill's code, and what enters its contexts and runs its coroutines. Names of modules say
#: nothing: a user's own may be called `tasks`.
_PASSED_OVER = (
    *(str(_ROOT / name) + os.sep for name in ("workers", "tasks", "router_core", "waybill")),
    str(Path(asyncio.__file__).parent) + os.sep,
    contextlib.__file__,
)


@dataclass(frozen=True, slots=True)
class _Place:
    """A line of the user's code, as `warnings.warn_explicit` takes it."""

    filename: str
    lineno: int
    module: str
    registry: dict[Any, Any]

    @classmethod
    def of_caller(cls) -> Self:
        """Return the nearest line that is not Waybill's."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and frame.f_code.co_filename.startswith(_PASSED_OVER):
            frame = frame.f_back
        if frame is None:
            return cls("sys", 1, "sys", {})
        registry = frame.f_globals.setdefault("__warningregistry__", {})
        module = frame.f_globals.get("__name__", "<unknown>")
        return cls(frame.f_code.co_filename, frame.f_lineno, module, registry)


_place: ContextVar[_Place | None] = ContextVar("place", default=None)


def warn_user(text: str) -> None:
    """Give a UserWarning with the line that called Waybill."""
    place = _place.get() or _Place.of_caller()
    warnings.warn_explicit(
        text, UserWarning, place.filename, place.lineno, place.module, registry=place.registry
    )


@contextlib.contextmanager
def warned_here() -> Iterator[None]:
    """Let warnings of this block, those in threads of `to_thread` too, name the line that calls it."""
    token = _place.set(_Place.of_caller())
    try:
        yield
    finally:
        _place.reset(token)
