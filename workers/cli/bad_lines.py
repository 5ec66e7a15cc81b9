"""The report of an input's bad lines on stderr: the first ones in full, the rest counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from tasks.wording import counted
from workers.cli.output import info

if TYPE_CHECKING:
    from tasks.formats.requests import InputError

MAX_SHOWN = 20


class BadLines:
    """A context manager that reports bad lines as they come, and at its end the number of those not shown."""

    def __init__(self, source: str, *, shown: int = MAX_SHOWN) -> None:
        self._source, self._shown = source, shown
        self.count = 0

    def add(self, error: InputError) -> None:
        """Count a bad line, and report it if it is among the first."""
        self.count += 1
        if self.count <= self._shown:
            info(f"{self._source}, line {error.line}: {error.reason} [{error.code}]")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self.count > self._shown:
            lines = counted(self.count - self._shown, "more bad line" if self._shown else "bad line")
            info(f"{self._source}: {'and ' if self._shown else ''}{lines}")
