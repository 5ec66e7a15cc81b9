"""The interface of the output formats."""

from typing import Protocol

from tasks.formats.results import ResultRecord


class Sink(Protocol):
    """A writer of records to one open file."""

    def write(self, record: ResultRecord) -> None:
        """Write one record."""

    def finish(self) -> None:
        """Write what is still buffered; the file itself stays open."""
