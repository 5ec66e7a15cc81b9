"""The readers of batches: a file of any input format, a table or an iterable, as requests and errors."""

import zlib
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import BinaryIO

from tasks.formats.errors import FormatError
from tasks.formats.inputs.arrow_rows import arrow_rows, parquet_rows
from tasks.formats.inputs.cells import plain_values
from tasks.formats.inputs.csv_rows import csv_rows
from tasks.formats.inputs.encoding import utf8_stream
from tasks.formats.inputs.fields import line_fields
from tasks.formats.inputs.file import InputFile, open_input
from tasks.formats.inputs.frames import is_table, table_rows
from tasks.formats.inputs.json_array import json_file_rows
from tasks.formats.inputs.json_rows import json_rows
from tasks.formats.inputs.options import InputFormat, InputOptions, Plan, no_notice, plan_for
from tasks.formats.inputs.parse import Checks, parse_fields
from tasks.formats.inputs.rows import Rows
from tasks.formats.inputs.text_rows import text_rows
from tasks.formats.requests import InputError, InputLimits, ParsedRequest, body_hash

__all__ = [
    "InputError", "InputFormat", "InputLimits", "InputOptions", "ParsedRequest",
    "body_hash", "format_of", "read_requests", "requests_from",
]  # fmt: skip

DEFAULT_LIMITS = InputLimits()
DEFAULT_OPTIONS = InputOptions()

_SUFFIXES = {
    ".jsonl": InputFormat.JSONL,
    ".ndjson": InputFormat.JSONL,
    ".json": InputFormat.JSON,
    ".csv": InputFormat.CSV,
    ".tsv": InputFormat.CSV,
    ".parquet": InputFormat.PARQUET,
    ".arrow": InputFormat.ARROW,
    ".feather": InputFormat.ARROW,
    ".txt": InputFormat.TEXT,
}
_READERS: dict[InputFormat, Callable[[InputFile, Plan], Rows]] = {
    InputFormat.JSONL: json_rows,
    InputFormat.JSON: json_file_rows,
    InputFormat.CSV: csv_rows,
    InputFormat.PARQUET: parquet_rows,
    InputFormat.ARROW: arrow_rows,
    InputFormat.TEXT: text_rows,
}
_BINARY = frozenset({InputFormat.PARQUET, InputFormat.ARROW})
#: formats of which a file in another encoding is refused as a whole; JSON is UTF-8, a line without it damaged
_STRICT_ENCODING = frozenset({InputFormat.CSV, InputFormat.TEXT})


def read_requests(
    path: Path,
    *,
    models: Collection[str],
    limits: InputLimits = DEFAULT_LIMITS,
    format: InputFormat | None = None,
    options: InputOptions = DEFAULT_OPTIONS,
    extra_params: Collection[str] = (),
    on_notice: Callable[[str], None] = no_notice,
) -> Iterator[ParsedRequest | InputError]:
    """Yield one item for each non-blank line of a batch file, in order and in constant memory.

    Args:
        models: The names that a line may set as its model.
        limits: The limits on the file and its lines.
        format: The format; by default that of the options, else the one of the file's extension.
        options: How the file is read, where it does not say so itself.
        extra_params: The parameters beyond OpenAI's API that some model takes.
        on_notice: Called with what people should know: columns that are not read, for example.

    Raises:
        FormatError: The file cannot be read, or is damaged. It is raised before the first item or at the
            damage; the lines after that were not read.
        OptionsError: An option fits no input.
    """
    format = format or options.format or format_of(path)
    checks = _checks(models, limits, options, extra_params)
    plan = plan_for(options, models=checks.models, extra=checks.extra, notice=on_notice)
    line = 0

    def opened() -> AbstractContextManager[BinaryIO]:
        return _opened(path, format, options)

    with _format_errors(path), opened() as stream:
        for line, fields in _READERS[format](InputFile(path, stream, limits, opened), plan):
            yield parse_fields(fields, line=line, checks=checks)
    if line == 0:
        raise FormatError(path, "holds no requests")


def requests_from(
    items: object,
    *,
    models: Collection[str],
    limits: InputLimits = DEFAULT_LIMITS,
    options: InputOptions = DEFAULT_OPTIONS,
    extra_params: Collection[str] = (),
    on_notice: Callable[[str], None] = no_notice,
) -> Iterator[ParsedRequest | InputError]:
    """Yield one item for each row of a table, or each item of an iterable; lines count from 1.

    Args:
        items: Prompts (text), requests (dicts like a JSON line), or a table (`tasks.formats.inputs.frames`).
        models: The names that a request may set as its model.
        limits: The limits on a request.
        options: Which columns or keys hold what.
        extra_params: The parameters beyond OpenAI's API that some model takes.
        on_notice: Called with what people should know: columns that are not read, for example.

    Raises:
        OptionsError: No column of the table holds the prompt, or an option fits no input.
    """
    checks = _checks(models, limits, options, extra_params)
    plan = plan_for(options, models=checks.models, extra=checks.extra, notice=on_notice)
    rows = table_rows(items, plan, limits.max_line_bytes) if is_table(items) else _item_rows(items, plan)  # type: ignore[arg-type]
    for line, fields in rows:
        yield parse_fields(fields, line=line, checks=checks)


def format_of(path: Path) -> InputFormat:
    """Return the format of the file's extension, ignoring `.gz`; raises FormatError for an unknown one."""
    uncompressed = path.with_suffix("") if path.suffix == ".gz" else path
    try:
        return _SUFFIXES[uncompressed.suffix.lower()]
    except KeyError:
        known = " ".join(_SUFFIXES)
        raise FormatError(path, f"its extension is none of {known}; name the format") from None


def _checks(
    models: Collection[str], limits: InputLimits, options: InputOptions, extra_params: Collection[str]
) -> Checks:
    return Checks(frozenset(models), limits, frozenset(extra_params), options.endpoint, options.model)


def _item_rows(items: Iterable[object], plan: Plan) -> Rows:
    for number, item in enumerate(items, start=1):
        fields = {"prompt": item} if isinstance(item, str) else plain_values(item)
        yield number, line_fields(fields, plan)


@contextmanager
def _opened(path: Path, format: InputFormat, options: InputOptions) -> Iterator[BinaryIO]:
    """Open the file; text comes as UTF-8."""
    with open_input(path) as stream:
        if format in _BINARY:
            yield stream
        else:
            yield utf8_stream(path, stream, options.encoding, strict=format in _STRICT_ENCODING)


@contextmanager
def _format_errors(path: Path) -> Iterator[None]:
    """Turn errors of the disk and of gzip into a FormatError."""
    try:
        yield
    except (OSError, EOFError, zlib.error) as error:
        raise FormatError(path, f"cannot be read to its end: {type(error).__name__}") from None
