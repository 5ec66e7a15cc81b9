"""The records of a CSV file, with what tells a broken quote from a long cell."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tasks.formats.errors import LineRejected
from tasks.formats.inputs.csv_dialect import Dialect
from tasks.formats.inputs.file import LongLine

NumberedLines = Iterator[tuple[int, bytes | LineRejected]]
_LONE_QUOTE = "a quote stands alone in a cell that does not begin with one"


@dataclass(frozen=True, slots=True)
class Record:
    """A record of a CSV file.

    Attributes:
        first: The number of its first line.
        last: The number of its last line.
        cells: Its cells, or the error.
        first_line: The text of its first line; empty if that was too long.
        quotes: How many quotes its first line holds; None if it holds none anywhere.
    """

    first: int
    last: int
    cells: list[str] | LineRejected
    first_line: str
    quotes: int | None


def records(lines: NumberedLines, dialect: Dialect, *, limit: int, before: int) -> Iterator[Record]:
    """Yield each record that is not blank; those that RFC 4180 does not allow hold an error.

    Args:
        lines: The numbered lines.
        dialect: The delimiter, and whether there are quotes.
        limit: The most characters of a record: an unclosed quote would span the whole file.
        before: The number of the line before the first one.
    """
    source = _Lines(lines, limit, before)
    reader: Any = csv.reader(source, strict=True, delimiter=dialect.delimiter, **_quoting(dialect))
    while True:
        source.start_record()
        try:
            cells: list[str] | LineRejected = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            cells = LineRejected("invalid_csv", str(error))
        except LineRejected as rejected:
            cells = rejected
        if dialect.quotes and source.quotes % 2 and not isinstance(cells, LineRejected):
            cells = LineRejected("invalid_csv", _LONE_QUOTE)
        if cells:
            quotes = source.first_quotes if source.quotes and dialect.quotes else None
            yield Record(source.first, source.last, cells, source.first_line, quotes)


def _quoting(dialect: Dialect) -> dict[str, Any]:
    return (
        {"quoting": csv.QUOTE_MINIMAL} if dialect.quotes else {"quoting": csv.QUOTE_NONE, "quotechar": None}
    )


class _Lines:
    """The lines for the csv reader, with a limit per record."""

    def __init__(self, lines: NumberedLines, limit: int, before: int) -> None:
        self._lines, self._limit = lines, limit
        self._size = 0
        self.first, self.last = before + 1, before
        self.quotes = self.first_quotes = 0
        self.first_line = ""

    def start_record(self) -> None:
        self.first = self.last + 1
        self._size = self.quotes = self.first_quotes = 0
        self.first_line = ""

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        self.last, line = next(self._lines)
        if isinstance(line, LineRejected):
            self._count(line.quotes if isinstance(line, LongLine) else 0)
            raise line
        self._size += len(line)
        self._count(line.count(b'"'))
        if self._size > self._limit:
            reason = f"lines {self.first} to {self.last} are one record; is a quote not closed?"
            raise LineRejected("line_too_long", reason)
        # Bytes that are not UTF-8 become lone surrogates, which the check of the request rejects later.
        # An error here would split a quoted record in two.
        text = line.decode(errors="surrogateescape")
        if self.last == self.first:
            self.first_line = text
        return text

    def _count(self, quotes: int) -> None:
        self.quotes += quotes
        if self.last == self.first:
            self.first_quotes = quotes
