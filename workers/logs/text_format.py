"""The text form of log records: as the process formats them, and what the line is about."""

from __future__ import annotations

import logging

from tasks.log_context import LOG_CONTEXT


class TextFormatter(logging.Formatter):
    """Lines of another formatter; the batch, the chunk and the stage at work stand at their end."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        line = self._inner.format(record)
        context = LOG_CONTEXT.get()
        if not context:
            return line
        first, newline, traceback = line.partition("\n")
        about = ", ".join(f"{name} {value}" for name, value in context.items())
        return f"{first} [{about}]{newline}{traceback}"
