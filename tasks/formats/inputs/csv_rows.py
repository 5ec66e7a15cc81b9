"""CSV (RFC 4180) with a header; quoted cells may hold line breaks."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from itertools import chain, dropwhile

from tasks.formats.errors import FormatError, LineRejected
from tasks.formats.inputs.columns import TableColumns
from tasks.formats.inputs.csv_dialect import Dialect, found_in_header, named_in_first_line
from tasks.formats.inputs.csv_records import NumberedLines, Record, records
from tasks.formats.inputs.csv_recovery import trusted_line
from tasks.formats.inputs.file import InputFile, numbered_lines
from tasks.formats.inputs.options import Plan
from tasks.formats.inputs.rows import Row, Rows


def csv_rows(file: InputFile, plan: Plan) -> Rows:
    """Yield each record with the number of its first line; raises FormatError for an unusable header."""
    # The csv module has one limit per process. It is only ever raised, so readers do not affect each other.
    csv.field_size_limit(max(csv.field_size_limit(), file.limits.max_line_bytes))
    found, dialect = _start(file, plan)
    header = next(found, None)
    if header is None:
        raise FormatError(file.path, "is empty")
    yield from _Table(file, plan, dialect, header).rows(found)


def _start(file: InputFile, plan: Plan) -> tuple[Iterator[Record], Dialect]:
    """Return the records, the header first, and the dialect; Excel's line `sep=;` is no record."""
    lines = numbered_lines(file)
    number, first = _first_line(file, lines)
    named = named_in_first_line(first)
    if named:
        number, first = _first_line(file, lines)
    delimiter = plan.options.delimiter or named or found_in_header(file.path, first)
    dialect = Dialect(delimiter, plan.options.quotes)
    rest = chain([(number, first.encode(errors="surrogateescape"))], lines)
    return records(rest, dialect, limit=file.limits.max_line_bytes, before=number - 1), dialect


def _first_line(file: InputFile, lines: NumberedLines) -> tuple[int, str]:
    """Return the next line that is not blank; raises FormatError if there is none or it is too long."""
    for number, line in lines:
        if isinstance(line, LineRejected):
            raise FormatError(file.path, f"line {number}: the header is {line.reason}")
        if line.strip():
            return number, line.decode(errors="surrogateescape")
    raise FormatError(file.path, "is empty")


class _Table:
    """A CSV file after its header."""

    def __init__(self, file: InputFile, plan: Plan, dialect: Dialect, header: Record) -> None:
        self._file, self._dialect = file, dialect
        cells = header.cells
        if isinstance(cells, LineRejected):
            raise FormatError(file.path, f"line {header.first}: the header cannot be read: {cells.reason}")
        self._width = len(cells)
        self._columns = TableColumns(cells, plan, self._refuser(header.first))

    def rows(self, found: Iterator[Record]) -> Rows:
        """Yield the rows; a broken record ends the reading, or skips to a line that can be trusted."""
        for record in found:
            cells = record.cells
            problem = cells if isinstance(cells, LineRejected) else self._problem(cells)
            if problem is None:
                yield record.first, self._columns.fields(record.cells)  # type: ignore[arg-type]
            elif record.quotes is None:
                yield record.first, problem
            else:
                yield from self._after_broken(record, problem)
                return

    def _problem(self, cells: list[str]) -> LineRejected | None:
        given = len(cells)
        if given > self._width:
            reason = f"{given} cells under {self._width} columns; is a {self._delimiter_name()} not quoted?"
            return LineRejected("too_many_columns", reason)
        if given < self._width:
            reason = f"only {given} cells under {self._width} columns; is a line break not quoted?"
            return LineRejected("missing_column", reason)
        return None

    def _after_broken(self, broken: Record, problem: LineRejected) -> Rows:
        resume = self._trusted_line(broken)
        yield self._broken_row(broken, problem, resume)
        if resume is None:
            return
        with self._file.reopen() as stream:
            again = InputFile(self._file.path, stream, self._file.limits, self._file.reopen)
            lines = dropwhile(lambda line: line[0] < resume, numbered_lines(again))
            limit = self._file.limits.max_line_bytes
            yield from self.rows(records(lines, self._dialect, limit=limit, before=resume - 1))

    def _trusted_line(self, broken: Record) -> int | None:
        with self._file.reopen() as stream:
            again = InputFile(self._file.path, stream, self._file.limits, self._file.reopen)
            lines = dropwhile(lambda line: line[0] <= broken.first, numbered_lines(again))
            limit = self._file.limits.max_line_bytes
            return trusted_line(lines, broken, self._dialect, width=self._width, limit=limit)

    def _broken_row(self, broken: Record, problem: LineRejected, resume: int | None) -> Row:
        if resume == broken.last + 1:
            return broken.first, problem
        first = broken.first
        unread = f"lines {first} to {resume - 1}" if resume else f"line {first} and all after it"
        reason = f"{problem.reason}; {unread} are not read, for a broken quote hides where records begin"
        return first, LineRejected(problem.code, reason)

    def _refuser(self, line: int) -> Callable[[str], FormatError]:
        name = self._delimiter_name()

        def refuse(reason: str) -> FormatError:
            return FormatError(
                self._file.path, f"line {line}: the header (delimiter: {name}) {reason}; or --delimiter"
            )

        return refuse

    def _delimiter_name(self) -> str:
        return {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}.get(
            self._dialect.delimiter, self._dialect.delimiter
        )
