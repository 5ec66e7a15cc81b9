"""What the code at work is about, for structured logs: numbers of batches and chunks, never content."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

#: set by stages; empty elsewhere
LOG_CONTEXT: ContextVar[dict[str, Any] | None] = ContextVar("log_context", default=None)


@contextmanager
def about(**ids: Any) -> Iterator[None]:
    """Let log records of the block say what they are about."""
    token = LOG_CONTEXT.set({**(LOG_CONTEXT.get() or {}), **ids})
    try:
        yield
    finally:
        LOG_CONTEXT.reset(token)
