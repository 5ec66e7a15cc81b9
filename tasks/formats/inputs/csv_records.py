"""The records of a CSV file."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tasks.formats.errors import LineRejected
from tasks.formats.inputs.csv_dialect import Dialect

NumberedLines = Iterator[tuple[int, bytes | LineRejected]]


@dataclass(frozen=True, slots=True)
class Record:
    """A record that is not blank: the numbers of its first and last line, and its cells or the error."""

    first: int
    last: int
    cells: list[str] | LineRejected


def records(lines: NumberedLines, dialect: Dialect, *, limit: int, before: int) -> Iterator[Record]:
    """Yield each record that is not blank.

    Args:
        lines: The numbered lines.
        dialect: The delimiter, and whether there are quotes.
        limit: The most characters of a record: an unclosed quote would span the whole file.
        before: The number of the line before the first one.
    """
    source = _Lines(lines, limit, before)
    quoting: dict[str, Any] = {} if dialect.quotes else {"quoting": csv.QUOTE_NONE, "quotechar": None}
    reader: Any = csv.reader(source, strict=True, delimiter=dialect.delimiter, **quoting)
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
        if cells:
            yield Record(source.first, source.last, cells)


def width_problem(cells: int, width: int) -> LineRejected | None:
    """Return what is wrong with a record of that many cells under a header of that width."""
    if cells > width:
        reason = f"{cells} cells under {width} columns; is a delimiter not quoted?"
        return LineRejected("too_many_columns", reason)
    if cells < width:
        reason = f"only {cells} cells under {width} columns; is a line break not quoted?"
        return LineRejected("missing_column", reason)
    return None


class _Lines:
    """The lines for the csv reader, with a limit per record."""

    def __init__(self, lines: NumberedLines, limit: int, before: int) -> None:
        self._lines, self._limit = lines, limit
        self._size = 0
        self.first, self.last = before + 1, before

    def start_record(self) -> None:
        self.first = self.last + 1
        self._size = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        self.last, line = next(self._lines)
        if isinstance(line, LineRejected):
            raise line
        self._size += len(line)
        if self._size > self._limit:
            reason = f"lines {self.first} to {self.last} are one record; is a quote not closed?"
            raise LineRejected("line_too_long", reason)
        # Bytes that are not UTF-8 become lone surrogates, which the check of the request rejects later.
        # An error here would split a quoted record in two.
        return line.decode(errors="surrogateescape")
