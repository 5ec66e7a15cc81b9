"""Which lines of a CSV file can be trusted, if a quote is broken.

After a record that breaks RFC 4180 nobody can tell whether the next line begins a record or goes on with a
cell: a fragment of a prompt could become a paid request. So a file is looked through before it is read.
Nothing is read from the broken record on; and if its first quote does not open a cell, it may close one of
the record before, so that nothing is read from the last record with a quoted cell on. Reading goes on at the
first line that meets both:

1. Every quote from the broken record up to this line is paired, and the last of them ends a cell (a delimiter
   or a line's end follows). The broken cell may be closed.
2. From this line to the end of the file every record is well-formed. A quote that closes the broken cell
   further down would break one of them.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from tasks.formats.errors import LineRejected
from tasks.formats.inputs.csv_dialect import Dialect
from tasks.formats.inputs.csv_records import NumberedLines, width_problem
from tasks.formats.inputs.file import LongLine

_Line = tuple[int, bytes | LineRejected]
_BROKEN = "a quote is not closed, not doubled, or followed by text in its cell"


@dataclass(slots=True)
class Distrust:
    """The lines of a file that are not read.

    Attributes:
        broken: The number of the first line of the first broken record.
        problem: What is wrong with that record.
        first: The number of the first line that is not read.
        resume: The number of the line where reading goes on; None if it does not.
    """

    broken: int
    problem: LineRejected
    first: int
    resume: int | None = None


def distrust(lines: NumberedLines, dialect: Dialect, *, width: int, limit: int) -> Distrust | None:
    """Return which lines after the header cannot be trusted, in one pass and constant memory.

    Args:
        lines: The lines after the header.
        dialect: The delimiter.
        width: The number of cells in the header.
        limit: The most characters of a record.
    """
    scan = _Scan(lines, dialect, width, limit)
    scan.run()
    return scan.found


class _Scan:
    """One pass over the records; `found` is what it has found so far."""

    def __init__(self, lines: NumberedLines, dialect: Dialect, width: int, limit: int) -> None:
        self.found: Distrust | None = None
        self._lines: Iterator[_Line] = lines
        self._again: deque[_Line] = deque()
        self._delimiter, self._width, self._limit = dialect.delimiter, width, limit
        mark = re.escape(dialect.delimiter)
        ends = rf"(?={mark}|\r?\n?\Z)"
        self._quoted = re.compile(rf'"(?:[^"]|"")*+"{ends}')
        self._plain = re.compile(rf'(?!")[^{mark}\r\n]*+{ends}')
        self._last_quoted: int | None = None
        self._quotes, self._is_closed = 0, True

    def run(self) -> None:
        while (line := self._next()) is not None:
            number, first = line
            found = self.found
            if found and found.resume is None and self._is_closed and self._quotes % 2 == 0:
                found.resume = number
            if isinstance(first, LineRejected):
                self._skip(number, first)
            elif b'"' in first:
                self._record(number, first)

    def _skip(self, number: int, line: LineRejected) -> None:
        """Take a line into account that was too long to be held."""
        quotes = line.quotes if isinstance(line, LongLine) else 0
        if quotes:
            self._break(number, line, first=number)
            self._quotes, self._is_closed = self._quotes + quotes, True

    def _record(self, number: int, first: bytes) -> None:
        """Read a record whose first line holds quotes; of a broken one, only that line counts."""
        parts, more = [first], deque[_Line]()
        quotes, size = first.count(b'"'), len(first)
        while quotes % 2 and size <= self._limit and (line := self._next()) is not None:
            more.append(line)
            if isinstance(line[1], LineRejected):
                break
            parts.append(line[1])
            quotes, size = quotes + line[1].count(b'"'), size + len(line[1])
        text = b"".join(parts)
        is_cut = bool(more) and isinstance(more[-1][1], LineRejected)
        problem = self._problem(text.decode(errors="surrogateescape"), is_cut=is_cut)
        if problem is None:
            self._last_quoted = number if self._has_quoted_cell else self._last_quoted
            self._count(text)
            return
        self._again.extendleft(reversed(more))
        self._break(number, problem, first=self._distrusted_from(number, first))
        self._count(first)

    def _problem(self, text: str, *, is_cut: bool) -> LineRejected | None:
        """Return what is wrong with the text of a record."""
        if len(text) > self._limit:
            return LineRejected("line_too_long", f"a record of more than {self._limit} characters")
        cells = None if is_cut or text.count('"') % 2 else self._cells(text)
        return LineRejected("invalid_csv", _BROKEN) if cells is None else width_problem(cells, self._width)

    def _cells(self, text: str) -> int | None:
        """Return the number of cells; None if a quote is broken.

        Quotes in a cell that does not begin with one are text, as long as no record was broken.
        """
        cells, position, self._has_quoted_cell = 0, 0, False
        while True:
            quoted = self._quoted.match(text, position)
            cell = quoted or self._plain.match(text, position)
            is_lone = quoted is None and cell is not None and '"' in cell[0]
            if cell is None or (is_lone and self.found is not None):
                return None
            self._has_quoted_cell = self._has_quoted_cell or quoted is not None
            cells, position = cells + 1, cell.end()
            if text[position : position + 1] != self._delimiter:
                return cells
            position += 1

    def _distrusted_from(self, number: int, first: bytes) -> int:
        """Return the first line not to read: a first quote that opens no cell may close an earlier one."""
        text = first.decode(errors="surrogateescape")
        at, edges = text.index('"'), ("", self._delimiter, "\r", "\n")
        opens = text[max(at - 1, 0) : at] in edges and text[at + 1 : at + 2] not in edges
        return number if opens or self._last_quoted is None else self._last_quoted

    def _break(self, number: int, problem: LineRejected, *, first: int) -> None:
        if self.found is None:
            self.found = Distrust(number, problem, first)
        self.found.resume = None

    def _count(self, line: bytes) -> None:
        text = line.decode(errors="surrogateescape")
        self._quotes += text.count('"')
        self._is_closed = text[text.rfind('"') + 1 :][:1] in ("", self._delimiter, "\r", "\n")

    def _next(self) -> _Line | None:
        return self._again.popleft() if self._again else next(self._lines, None)
