"""Where a CSV file can be trusted again after a broken quote.

After a record that breaks RFC 4180 nobody can tell whether the next line begins a record or goes on with a
cell: a fragment of a prompt could become a paid request. So reading goes on only at a line that meets both:

1. Every quote from the broken record up to this line is paired, and the last of them ends a cell (a delimiter
   or a line's end follows). The broken cell may be closed.
2. From this line to the end of the file every record is well-formed. A quote that closes the broken cell
   further down would break one of them.

What lies between is not read, and the error of the broken record says so.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator

from tasks.formats.errors import LineRejected
from tasks.formats.inputs.csv_dialect import Dialect
from tasks.formats.inputs.csv_records import NumberedLines, Record
from tasks.formats.inputs.file import LongLine

_Line = tuple[int, str | LineRejected]


def trusted_line(
    lines: NumberedLines, broken: Record, dialect: Dialect, *, width: int, limit: int
) -> int | None:
    """Return the number of the first line that can be trusted; None if the rest of the file cannot.

    Args:
        lines: The lines after the first one of the broken record.
        broken: The broken record.
        dialect: The delimiter.
        width: The number of cells of a record.
        limit: The most characters of a record.
    """
    scan = _Scan(lines, dialect, width, limit)
    scan.count(broken.first_line, broken.quotes or 0)
    return scan.trusted()


class _Scan:
    """One pass to the end of the file, in constant memory."""

    def __init__(self, lines: NumberedLines, dialect: Dialect, width: int, limit: int) -> None:
        self._lines = _decoded(lines)
        self._again: deque[_Line] = deque()
        self._width, self._limit = width, limit
        self._delimiter = dialect.delimiter
        mark = re.escape(dialect.delimiter)
        self._cell = re.compile(rf'"(?:[^"]|"")*+"(?={mark}|\r?\n?\Z)|[^"{mark}\r\n]*+(?={mark}|\r?\n?\Z)')
        self._quotes, self._is_closed = 0, True

    def count(self, text: str, quotes: int) -> None:
        """Take the quotes of a line into account."""
        self._quotes += quotes
        if quotes:
            after = text[text.rfind('"') + 1 :][:1]
            self._is_closed = after in ("", self._delimiter, "\r", "\n")

    def trusted(self) -> int | None:
        found: int | None = None
        while (line := self._next()) is not None:
            number, first = line
            if found is None and self._is_closed and self._quotes % 2 == 0:
                found = number
            if isinstance(first, LineRejected):
                quotes = first.quotes if isinstance(first, LongLine) else 1
                self.count("", quotes)
                found = None if quotes else found
            elif not self._read_record(first):
                found = None
        return found

    def _read_record(self, first: str) -> bool:
        """Read a record that begins with this line, and return whether it is well-formed.

        Of one that is not, only the first line counts: the next one may begin a record.
        """
        text, more = first, deque[_Line]()
        while text.count('"') % 2 and len(text) <= self._limit and (line := self._next()) is not None:
            more.append(line)
            if isinstance(line[1], LineRejected):
                break
            text += line[1]
        is_whole = not more or not isinstance(more[-1][1], LineRejected)
        if is_whole and self._is_well_formed(text):
            self.count(text, text.count('"'))
            return True
        self._again.extendleft(reversed(more))
        self.count(first, first.count('"'))
        return False

    def _is_well_formed(self, text: str) -> bool:
        """Return whether quotes only surround cells, and whether a record with quotes has all its cells."""
        if '"' not in text:
            return True
        cells, position = 0, 0
        while found := self._cell.match(text, position):
            cells, position = cells + 1, found.end()
            if text[position : position + 1] != self._delimiter:
                return cells == self._width and len(text) <= self._limit
            position += 1
        return False

    def _next(self) -> _Line | None:
        return self._again.popleft() if self._again else next(self._lines, None)


def _decoded(lines: NumberedLines) -> Iterator[_Line]:
    for number, line in lines:
        yield number, line if isinstance(line, LineRejected) else line.decode(errors="surrogateescape")
