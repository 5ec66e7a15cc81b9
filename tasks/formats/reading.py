"""The readers of batches: a file of any input format, or an iterable, as a stream of requests and errors."""

import zlib
from collections.abc import Callable, Collection, Iterable, Iterator
from enum import StrEnum
from pathlib import Path

from tasks.formats.errors import FormatError
from tasks.formats.inputs.csv_rows import csv_rows
from tasks.formats.inputs.file import InputFile, open_input
from tasks.formats.inputs.json_rows import json_rows
from tasks.formats.inputs.parquet_rows import parquet_rows
from tasks.formats.inputs.parse import Checks, parse_fields
from tasks.formats.inputs.rows import Rows
from tasks.formats.inputs.text_rows import text_rows
from tasks.formats.requests import InputError, InputLimits, ParsedRequest, body_hash

__all__ = [
    "InputError", "InputFormat", "InputLimits", "ParsedRequest",
    "body_hash", "format_of", "read_requests", "requests_from",
]  # fmt: skip

DEFAULT_LIMITS = InputLimits()


class InputFormat(StrEnum):
    """The format of a batch file; each line of a JSONL file is either an OpenAI Batch line or a plain one."""

    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"
    TEXT = "text"


_SUFFIXES = {
    ".jsonl": InputFormat.JSONL,
    ".ndjson": InputFormat.JSONL,
    ".csv": InputFormat.CSV,
    ".parquet": InputFormat.PARQUET,
    ".txt": InputFormat.TEXT,
}
_READERS: dict[InputFormat, Callable[[InputFile], Rows]] = {
    InputFormat.JSONL: json_rows,
    InputFormat.CSV: csv_rows,
    InputFormat.PARQUET: parquet_rows,
    InputFormat.TEXT: text_rows,
}


def read_requests(
    path: Path,
    *,
    models: Collection[str],
    limits: InputLimits = DEFAULT_LIMITS,
    format: InputFormat | None = None,
    skip_lines: int = 0,
    extra_params: Collection[str] = (),
) -> Iterator[ParsedRequest | InputError]:
    """Yield one item for each non-blank line of a batch file, in order and in constant memory.

    Args:
        models: The names that a line may set as its model.
        limits: The limits on the file and its lines.
        format: The format; by default the one of the file's extension.
        skip_lines: The number of the last line to skip, to continue an interrupted reading.
        extra_params: The parameters beyond OpenAI's API that some model takes.

    Raises:
        FormatError: The file cannot be read, or is damaged. It is raised before the first item or at the
            damage; the lines after that were not read.
    """
    read = _READERS[format or format_of(path)]
    checks = Checks(frozenset(models), limits, frozenset(extra_params))
    line = skip_lines
    with open_input(path) as stream:
        rows = _with_format_errors(path, read(InputFile(path, stream, limits, skip_lines)))
        for line, fields in rows:
            yield parse_fields(fields, line=line, checks=checks)
    if line == 0:
        raise FormatError(path, "holds no requests")


def requests_from(
    items: Iterable[object],
    *,
    models: Collection[str],
    limits: InputLimits = DEFAULT_LIMITS,
    extra_params: Collection[str] = (),
) -> Iterator[ParsedRequest | InputError]:
    """Yield one item for each prompt (text) or request (a dict like a JSON line); lines count from 1."""
    checks = Checks(frozenset(models), limits, frozenset(extra_params))
    for number, item in enumerate(items, start=1):
        fields = {"prompt": item} if isinstance(item, str) else item
        yield parse_fields(fields, line=number, checks=checks)


def format_of(path: Path) -> InputFormat:
    """Return the format of the file's extension, ignoring `.gz`; raises FormatError for an unknown one."""
    uncompressed = path.with_suffix("") if path.suffix == ".gz" else path
    try:
        return _SUFFIXES[uncompressed.suffix.lower()]
    except KeyError:
        known = " ".join(_SUFFIXES)
        raise FormatError(path, f"its extension is none of {known}; name the format") from None


def _with_format_errors(path: Path, rows: Rows) -> Rows:
    """Yield the rows; errors of the disk and of gzip become a FormatError."""
    try:
        yield from rows
    except (OSError, EOFError, zlib.error) as error:
        raise FormatError(path, f"cannot be read to its end: {type(error).__name__}") from None
