"""CSV (RFC 4180) with a header; quoted cells may hold line breaks."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain, dropwhile, takewhile

from tasks.formats.errors import EmptyFileError, FormatError, LineRejected
from tasks.formats.inputs.columns import TableColumns
from tasks.formats.inputs.csv_dialect import Dialect, delimiter_name, found_in_header, named_in_first_line
from tasks.formats.inputs.csv_records import NumberedLines, Record, records, width_problem
from tasks.formats.inputs.csv_trust import Distrust, distrust
from tasks.formats.inputs.file import InputFile, numbered_lines
from tasks.formats.inputs.options import Plan
from tasks.formats.inputs.rows import Row, Rows


def csv_rows(file: InputFile, plan: Plan) -> Rows:
    """Yield each record with the number of its first line; raises FormatError for an unusable header."""
    # The csv module has one limit per process. It is only ever raised, so readers do not affect each other.
    csv.field_size_limit(max(csv.field_size_limit(), file.limits.max_line_bytes))
    lines = numbered_lines(file)
    header, dialect = _header(file, plan, lines)
    cells = header.cells
    if isinstance(cells, LineRejected):
        raise FormatError(file.path, f"line {header.first}: the header cannot be read: {cells.reason}")
    columns = TableColumns(cells, plan, _refuser(file, header.first, dialect))
    found = _distrust(file, dialect, header.last, len(cells)) if dialect.quotes else None
    if found is None:
        yield from _rows(file, dialect, columns, len(cells), lines, header.last)
        return
    trusted = takewhile(lambda line: line[0] < found.first, lines)
    yield from _rows(file, dialect, columns, len(cells), trusted, header.last)
    yield _broken_row(found)
    if found.resume is not None:
        rest = dropwhile(lambda line: line[0] < (found.resume or 0), lines)
        yield from _rows(file, dialect, columns, len(cells), rest, found.resume - 1)


def _header(file: InputFile, plan: Plan, lines: NumberedLines) -> tuple[Record, Dialect]:
    """Return the first record and the dialect; Excel's line `sep=;` is no record."""
    number, first = _first_line(file, lines)
    named = named_in_first_line(first)
    if named:
        number, first = _first_line(file, lines)
    delimiter = plan.options.delimiter or named or found_in_header(file.path.name, first)
    dialect = Dialect(delimiter, plan.options.quotes)
    rest = chain([(number, first.encode(errors="surrogateescape"))], lines)
    return next(records(rest, dialect, limit=file.limits.max_line_bytes, before=number - 1)), dialect


def _first_line(file: InputFile, lines: NumberedLines) -> tuple[int, str]:
    """Return the next line that is not blank; raises FormatError if there is none or it is too long."""
    for number, line in lines:
        if isinstance(line, LineRejected):
            raise FormatError(file.path, f"line {number}: the header is {line.reason}")
        if line.strip():
            return number, line.decode(errors="surrogateescape")
    raise EmptyFileError(file.path, "is empty")


def _distrust(file: InputFile, dialect: Dialect, header: int, width: int) -> Distrust | None:
    """Look the file through, from the line after the header's last one."""
    with file.reopen() as stream:
        lines = dropwhile(lambda line: line[0] <= header, numbered_lines(replace(file, stream=stream)))
        return distrust(lines, dialect, width=width, limit=file.limits.max_line_bytes)


def _rows(
    file: InputFile, dialect: Dialect, columns: TableColumns, width: int, lines: NumberedLines, before: int
) -> Iterator[Row]:
    for record in records(lines, dialect, limit=file.limits.max_line_bytes, before=before):
        cells = record.cells
        problem = cells if isinstance(cells, LineRejected) else width_problem(len(cells), width)
        yield record.first, problem or columns.fields(cells)  # type: ignore[arg-type]


def _broken_row(found: Distrust) -> Row:
    first = min(found.first, found.broken)
    if found.first == found.broken and found.resume == found.broken + 1:
        return found.broken, found.problem
    unread = f"lines {first} to {found.resume - 1}" if found.resume else f"line {first} and all after it"
    reason = f"{found.problem.reason}; {unread} are not read: a broken quote hides where records begin"
    return found.broken, LineRejected(found.problem.code, reason)


def _refuser(file: InputFile, line: int, dialect: Dialect) -> Callable[[str], FormatError]:
    name = delimiter_name(dialect.delimiter)

    def refuse(reason: str) -> FormatError:
        where = f"line {line}: the header, read with {name} as --delimiter,"
        return FormatError(file.path, f"{where} {reason}")

    return refuse
