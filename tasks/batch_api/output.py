"""The output and error files of a batch: lines made of its results, in the order in which they ended.

Lines are only ever added at the end, whole ones, so that a client can go on where it stopped.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from sqlalchemy import Connection, RowMapping, true

from tasks.errors import UsageError
from tasks.formats.outputs.json_lines import openai_line
from tasks.formats.results import ResultRecord
from tasks.json_values import to_json
from tasks.store import batches, results
from tasks.store.api import ended, endings, marks
from tasks.store.api.tables import output_mark
from tasks.store.engine import Store
from tasks.store.ids import ids_of

#: lines of the order that are read at a time
PAGE = 500
#: the most pages that are read for the size of a file that still grows
_SIZE_PAGES = 20
EXPIRED = "batch_expired"
EXPIRED_MESSAGE = "the batch's time was over before this request was answered"


@dataclass(frozen=True, slots=True)
class OutputFile:
    """One of the two files of a batch, as `tasks.store.api.batches` finds it."""

    row: RowMapping
    is_errors: bool

    @property
    def id(self) -> str:
        """The id of the file."""
        return str(self.row["error_file_id" if self.is_errors else "output_file_id"])

    @property
    def name(self) -> str:
        """What the file is called."""
        return f"{self.row['id']}_{'error' if self.is_errors else 'output'}.jsonl"

    @property
    def has_lines(self) -> bool:
        """Whether it has a line yet."""
        return has_errors(self.row) if self.is_errors else bool(self.row["run_succeeded"])

    @property
    def size(self) -> int | None:
        """Its bytes; None while the batch runs."""
        measured = self.row["measured"]
        return None if measured is None else int(measured["errors" if self.is_errors else "output"]["bytes"])


@dataclass(frozen=True, slots=True)
class Piece:
    """Whole lines of a file, from byte `offset` on; `number` is the place of the last in the order.

    `is_page` says that they are all lines of a page of the order, at the end of which a reader leaves a mark.
    """

    offset: int
    number: int
    lines: list[bytes]
    is_page: bool

    @property
    def data(self) -> bytes:
        """The bytes of the lines."""
        return b"".join(self.lines)

    @property
    def end(self) -> int:
        """The byte after its last one."""
        return self.offset + sum(map(len, self.lines))


def has_errors(row: RowMapping) -> bool:
    """Return whether a batch has a line in its error file."""
    return any(row[name] for name in ("run_failed", "run_cancelled", "run_invalid"))


def file_of(row: RowMapping, file_id: str) -> OutputFile:
    """Return the file of a batch that has this id."""
    return OutputFile(row, is_errors=file_id == row["error_file_id"])


def place_after(store: Store, file: OutputFile, line_id: str) -> int | None:
    """Return the place in the order of the line with this `id`; None if no line of the batch has it."""
    one, batch_no = results.line_of(line_id), file.row["run_no"]
    if one is None or batch_no is None:
        return None
    first, last = ids_of(batch_no)
    if not first <= one <= last:  # it may be larger than any number of the database
        return None
    with store.read() as connection:
        return ended.number_of(connection, batch_no, one)


def pieces(store: Store, file: OutputFile, *, from_byte: int = 0, after: int = 0) -> Iterator[Piece]:
    """Yield the file as it is now, in pieces of whole lines.

    Args:
        store: The store.
        file: The file.
        from_byte: The first piece holds this byte, or begins with it; only without `after`.
        after: A place in the order: lines up to it are left out, and offsets count from there.

    Raises:
        UsageError: The batch's texts were deleted.
    """
    if after:
        yield from (piece for piece in _walk(store, file, after, 0) if piece.lines)
        return
    for piece in _marked(store, file, from_byte):
        if piece.lines and piece.end > from_byte:
            yield piece


def known_size(store: Store, file: OutputFile) -> int:
    """Return the bytes of a file; of one that still grows, so many as could be counted in a short time."""
    if file.size is not None:
        return file.size
    with store.read() as connection:
        _, size = marks.last_before(connection, file.id, true())
    for piece in islice(_marked(store, file, size), _SIZE_PAGES):
        size = piece.end
    return size


def measure(store: Store, row: RowMapping) -> dict[str, Any]:
    """Read both files of a batch that has ended; returns their bytes, lines and hashes, and its usage.

    It leaves marks, by which a later reader begins in the middle.
    """
    with store.write() as connection:
        batches.lock(connection, row["run_no"])
        ended.record_missing(connection, row["run_no"])
    measured: dict[str, Any] = {
        name: _measured(store, OutputFile(row, is_errors=name == "errors")) for name in ("output", "errors")
    }
    with store.read() as connection:
        measured["usage"] = endings.usage(connection, row["run_no"])
        measured["model"] = endings.only_model(connection, row["run_no"])
    return measured


def _measured(store: Store, file: OutputFile) -> dict[str, Any]:
    digest, size, lines = hashlib.sha256(), 0, 0
    try:
        for piece in pieces(store, file):
            digest.update(piece.data)
            size, lines = piece.end, lines + len(piece.lines)
    except UsageError:  # its texts were deleted meanwhile: there is nothing left to read
        return {"bytes": 0, "lines": 0, "sha256": None}
    return {"bytes": size, "lines": lines, "sha256": digest.hexdigest()}


def _marked(store: Store, file: OutputFile, from_byte: int) -> Iterator[Piece]:
    """Yield the pieces from the last mark before a byte on, and leave marks for later readers."""
    with store.read() as connection:
        number, offset = marks.last_before(connection, file.id, output_mark.c.offset <= from_byte)
        last, _ = marks.last_before(connection, file.id, true())
    for piece in _walk(store, file, number, offset):
        if piece.is_page and piece.number > last:
            with store.write() as connection:
                marks.leave(connection, file.row, file.id, piece.number, piece.end)
        yield piece


def _walk(store: Store, file: OutputFile, number: int, offset: int) -> Iterator[Piece]:
    while piece := _piece(store, file, number, offset):
        number, offset = piece.number, piece.end
        yield piece


def _piece(store: Store, file: OutputFile, number: int, offset: int) -> Piece | None:
    with store.read() as connection:
        order = ended.after(connection, file.row["run_no"], number, PAGE)
        if not order:
            return None
        records = _records(connection, file.row, list(order.values()))
    lines = [_line(one, file.row) for one in records if one.failed == file.is_errors]
    return Piece(offset, max(order), lines, is_page=len(order) == PAGE)


def _records(connection: Connection, row: RowMapping, request_ids: list[int]) -> list[ResultRecord]:
    return results.records_of(connection, batches.by_number(connection, row["run_no"]), request_ids)


def _line(record: ResultRecord, row: RowMapping) -> bytes:
    if row["expired_at"] is not None and record.error_code == "batch_cancelled":
        record = replace(record, error_code=EXPIRED, error_message=EXPIRED_MESSAGE)
    return (to_json(openai_line(record)) + "\n").encode()
