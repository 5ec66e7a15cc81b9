"""CSV (RFC 4180): a header with a `prompt` column; quoted cells may hold line breaks."""

import csv
from collections.abc import Iterator
from typing import Any

from tasks.formats.errors import FormatError, LineRejected
from tasks.formats.inputs.file import InputFile, numbered_lines
from tasks.formats.inputs.rows import Rows, table_fields


def csv_rows(file: InputFile) -> Rows:
    """Yield each record with the number of its first line; raises FormatError without a `prompt` column."""
    # The csv module has one limit per process. It is only ever raised, so readers do not affect each other.
    csv.field_size_limit(max(csv.field_size_limit(), file.limits.max_line_bytes))
    records = _records(file)
    names = _header(file, next(records, None))
    for line, cells in records:
        if line > file.skip_lines:
            yield line, cells if isinstance(cells, LineRejected) else _fields(names, cells)


def _header(file: InputFile, first: tuple[int, list[str] | LineRejected] | None) -> list[str]:
    if first is None:
        raise FormatError(file.path, "is empty")
    cells = first[1]
    names = [] if isinstance(cells, LineRejected) else [cell.strip().lower() for cell in cells]
    if "prompt" not in names:
        raise FormatError(file.path, f"line {first[0]}: the header has no 'prompt' column")
    return names


def _fields(names: list[str], cells: list[str]) -> object | LineRejected:
    if len(cells) > len(names):
        reason = f"{len(cells)} cells under {len(names)} columns; is a comma not quoted?"
        return LineRejected("too_many_columns", reason)
    row = dict(zip(names, cells, strict=False))
    if "prompt" not in row:
        return LineRejected("missing_column", f"only {len(cells)} cells: none is the prompt")
    return table_fields(row)


def _records(file: InputFile) -> Iterator[tuple[int, list[str] | LineRejected]]:
    lines = _RecordLines(file)
    reader: Any = csv.reader(lines, strict=True)
    while True:
        lines.start_record()
        try:
            cells: list[str] | LineRejected = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            cells = LineRejected("invalid_csv", f"lines {lines.first} to {lines.last}: {error}")
        except LineRejected as rejected:
            cells = rejected
        if cells:
            yield lines.first, cells


class _RecordLines:
    """The lines for the csv reader, with a limit per record: an unclosed quote would span the whole file."""

    def __init__(self, file: InputFile) -> None:
        self._lines = numbered_lines(file)
        self._limit = file.limits.max_line_bytes
        self._size = 0
        self.first = 1
        self.last = 0

    def start_record(self) -> None:
        self.first = self.last + 1
        self._size = 0

    def __iter__(self) -> "_RecordLines":
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
