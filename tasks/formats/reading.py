"""The readers of batches: a file of any input format, a table or an iterable, as requests and errors."""

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import PurePath
from typing import BinaryIO

from router_core.compression import COMPRESSION_ERRORS, without_suffix
from tasks.formats.errors import EmptyFileError, FormatError, UnreadableError
from tasks.formats.inputs.arrow_rows import arrow_rows, parquet_rows
from tasks.formats.inputs.csv_rows import csv_rows
from tasks.formats.inputs.encoding import utf8_stream
from tasks.formats.inputs.fields import line_fields
from tasks.formats.inputs.file import InputFile, open_input, untold
from tasks.formats.inputs.frames import is_table, table_rows
from tasks.formats.inputs.items import item_fields
from tasks.formats.inputs.json_array import json_file_rows
from tasks.formats.inputs.json_rows import json_rows
from tasks.formats.inputs.options import InputFormat, InputOptions, Plan, no_notice, plan_for
from tasks.formats.inputs.parse import Checks, parse_fields
from tasks.formats.inputs.rows import Rows
from tasks.formats.inputs.text_rows import text_rows
from tasks.formats.locations.location import Location
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
    path: Location,
    *,
    models: Collection[str],
    lines_before: int = 0,
    limits: InputLimits = DEFAULT_LIMITS,
    format: InputFormat | None = None,
    options: InputOptions = DEFAULT_OPTIONS,
    extra_params: Collection[str] = (),
    on_notice: Callable[[str], None] = no_notice,
    on_lines: Callable[[int], None] = untold,
    of_key: bool = False,
) -> Iterator[ParsedRequest | InputError]:
    """Yield one item for each non-blank line of a batch file, in order and in constant memory.

    Args:
        path: The file, or the URL of one.
        models: The names that a line may set as its model.
        lines_before: What is added to the numbers of lines, if the file follows others.
        limits: The limits on the file and its lines.
        format: The format; by default that of the options, else the one of the file's extension.
        options: How the file is read, where it does not say so itself.
        extra_params: The parameters beyond OpenAI's API that some model takes.
        on_notice: Called with what people should know: columns that are not read, for example.
        on_lines: Called now and then with the number of lines read so far, blank ones included.
        of_key: Whether `models` are those of an API key; a line that names another is told which they are.

    Raises:
        FormatError: The file cannot be read, or is damaged. It is raised before the first item or at the
            damage; the lines after that were not read.
        OptionsError: An option fits no input.
    """
    format = format or options.format or format_of(path)
    checks = _checks(models, limits, options, extra_params)
    if of_key:  # told the same of a model that is configured as of one that is not
        checks = replace(checks, otherwise=f"not among this key's models: {', '.join(models)}")
    plan = plan_for(options, models=checks.models, extra=checks.extra, notice=on_notice)
    line = lines_before

    def opened() -> AbstractContextManager[BinaryIO]:
        return _opened(path, format, options)

    try:
        with opened() as stream:
            for number, fields in _READERS[format](InputFile(path, stream, limits, opened, on_lines), plan):
                line = lines_before + number
                yield parse_fields(fields, line=line, checks=checks)
    except COMPRESSION_ERRORS as error:
        reason = f"cannot be read to its end: {_reason(error)} after line {line - lines_before}"
        raise (UnreadableError if _is_of_place(error) else FormatError)(path, reason) from None
    if line == lines_before:
        raise EmptyFileError(path)


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


def format_of(path: Location) -> InputFormat:
    """Return the format of the file's extension, before that of a compression; raises FormatError."""
    try:
        return _SUFFIXES[without_suffix(PurePath(path.name)).suffix.lower()]
    except KeyError:
        known = " ".join(_SUFFIXES)
        raise FormatError(path, f"its extension is none of {known}; name the format") from None


def _checks(
    models: Collection[str], limits: InputLimits, options: InputOptions, extra_params: Collection[str]
) -> Checks:
    return Checks(
        frozenset(models), limits, frozenset(extra_params), options.endpoint, options.model, options.defaults
    )


def _item_rows(items: Iterable[object], plan: Plan) -> Rows:
    for number, item in enumerate(items, start=1):
        yield number, line_fields(item_fields(item, plan.options.prompt_column), plan)


@contextmanager
def _opened(path: Location, format: InputFormat, options: InputOptions) -> Iterator[BinaryIO]:
    """Open the file; text comes as UTF-8."""
    is_binary = format in _BINARY
    with open_input(path, follow_links=options.follow_links, is_binary=is_binary) as stream:
        if is_binary:
            yield stream
        else:
            yield utf8_stream(path, stream, options.encoding, strict=format in _STRICT_ENCODING)


def _reason(error: Exception) -> str:
    """Return what went wrong; a message of ours, which has no number of the system, quotes nothing."""
    return str(error) if _is_broken_off(error) else type(error).__name__


def _is_of_place(error: Exception) -> bool:
    """Return whether a disk or a server failed; damage has no number of the system's."""
    return _is_broken_off(error) or (isinstance(error, OSError) and error.errno is not None)


def _is_broken_off(error: Exception) -> bool:
    return type(error) is OSError and str(error).startswith("broken off")
