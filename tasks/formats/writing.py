"""The writers of results: a stream of records becomes a file, which is replaced atomically."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from io import TextIOWrapper
from pathlib import Path
from typing import BinaryIO, TextIO

from router_core.compression import compression_of
from tasks.formats.errors import FormatError
from tasks.formats.locations.location import Location, RemoteFile
from tasks.formats.outputs.csv_table import CsvTable
from tasks.formats.outputs.destinations import destinations
from tasks.formats.outputs.flat import flat_row
from tasks.formats.outputs.json_lines import JsonLines, openai_line
from tasks.formats.outputs.parquet_table import ParquetTable
from tasks.formats.outputs.sink import Sink
from tasks.formats.results import ResultCounts, ResultRecord

__all__ = ["ResultCounts", "ResultFormat", "ResultRecord", "write_results"]


class ResultFormat(StrEnum):
    """The format of a result file: OpenAI's Batch output, or flat rows as JSON Lines, CSV or Parquet."""

    OPENAI = "openai"
    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"


def write_results(
    records: Iterable[ResultRecord],
    output: Location | TextIO,
    *,
    format: ResultFormat,
    errors: Location | None = None,
) -> ResultCounts:
    """Write the records to `output`, in constant memory; failures go to `errors` if it is given.

    The files are replaced atomically once everything is written. An errors file is written even if nothing
    failed, so that an old file cannot be taken for this batch's.

    Raises:
        FormatError: A file cannot be written.
    """
    with _sinks(output, errors, format) as (answers, failures):
        return _write_all(records, answers, failures)


@contextmanager
def _sinks(
    output: Location | TextIO, errors: Location | None, format: ResultFormat
) -> Iterator[tuple[Sink, Sink]]:
    files = [file for file in (output, errors) if isinstance(file, Path | RemoteFile)]
    if len(files) != len(set(map(_resolved, files))):
        raise FormatError(files[0], "is named for both results and errors")
    if format is ResultFormat.PARQUET and any(compression_of(file.name) for file in files):
        raise FormatError(files[0], "Parquet is compressed inside: name it .parquet")
    with destinations(files) as streams:
        sinks = [_file_sink(stream, format) for stream in streams]
        if not isinstance(output, Path | RemoteFile):
            sinks.insert(0, _text_sink(output, format))
        try:
            yield sinks[0], sinks[-1]
        finally:
            for sink in sinks:
                sink.finish()


def _resolved(file: Location) -> object:
    return file.parent.resolve() / file.name if isinstance(file, Path) else file


def _write_all(records: Iterable[ResultRecord], answers: Sink, failures: Sink) -> ResultCounts:
    written = failed = 0
    for record in records:
        written += 1
        failed += record.failed
        (failures if record.failed else answers).write(record)
    return ResultCounts(written, failed)


def _file_sink(stream: BinaryIO, format: ResultFormat) -> Sink:
    if format is ResultFormat.PARQUET:
        return ParquetTable(stream)
    return _text_sink(TextIOWrapper(stream, encoding="utf-8", newline=""), format)


def _text_sink(stream: TextIO, format: ResultFormat) -> Sink:
    if format is ResultFormat.PARQUET:
        raise FormatError(Path("-"), "Parquet is not text: name a file")
    if format is ResultFormat.CSV:
        return CsvTable(stream)
    return JsonLines(stream, openai_line if format is ResultFormat.OPENAI else flat_row)
