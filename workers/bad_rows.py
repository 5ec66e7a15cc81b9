"""The bad lines of a submission in Python: counted, and said once with the first reasons."""

from __future__ import annotations

from collections.abc import Callable

from tasks.formats.requests import InputError
from workers.arguments import in_python
from workers.user_warnings import warn_user

_SHOWN = 3


class BadRows:
    """The bad lines of one submission; `on_error` gets each of them, and then no warning is given."""

    def __init__(self, on_error: Callable[[InputError], None] | None) -> None:
        self._on_error = on_error
        self._first: list[InputError] = []
        self._count = 0

    def add(self, error: InputError) -> None:
        """Note a bad line."""
        self._count += 1
        if len(self._first) < _SHOWN:
            self._first.append(error)
        if self._on_error is not None:
            self._on_error(error)

    def warn(self) -> None:
        """Warn of the bad lines, if there are any."""
        if not self._count or self._on_error is not None:
            return
        reasons = "; ".join(f"line {one.line} {in_python(one.reason)}" for one in self._first)
        more = "; …" if self._count > len(self._first) else ""
        lines = "1 line was" if self._count == 1 else f"{self._count:,} lines were"
        warn_user(f"{lines} not sent: {reasons}{more} (batch.input_errors())")
