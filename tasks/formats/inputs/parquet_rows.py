"""Parquet: the columns of a CSV file, read a few hundred rows at a time."""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tasks.formats.errors import FormatError, LineRejected
from tasks.formats.inputs.file import InputFile
from tasks.formats.inputs.rows import TABLE_COLUMNS, Rows, table_fields

_ROWS = 256
_BUFFER = 1 << 20


def parquet_rows(file: InputFile) -> Rows:
    """Yield each row under its number, from 1; raises FormatError where Arrow cannot read the file."""
    with _readable(file):
        table = _open(file)
        columns = _columns(file, table)
        row = 0
        for batch in table.iter_batches(batch_size=_ROWS, columns=columns, use_threads=False):
            cells = [_cells(column) for column in batch.columns]
            for values in zip(*cells, strict=True):
                row += 1
                if row > file.skip_lines:
                    yield row, _fields(file, dict(zip(batch.schema.names, values, strict=True)))


def _open(file: InputFile) -> Any:
    import pyarrow.parquet as pq

    if isinstance(file.stream, gzip.GzipFile):
        raise FormatError(file.path, "Parquet is compressed inside; it is not read through gzip")
    table = pq.ParquetFile(file.stream, buffer_size=_BUFFER, pre_buffer=False)
    texts = [name for name in TABLE_COLUMNS if _is_text(table.schema_arrow, name)]
    # A text that is repeated lies in the file once. Read as dictionaries it is one text in memory as well:
    # a file of a few kilobytes could otherwise grow to gigabytes within one batch of rows.
    table = pq.ParquetFile(file.stream, buffer_size=_BUFFER, pre_buffer=False, read_dictionary=texts)
    if table.metadata.num_rows > file.limits.max_lines:
        raise FormatError(file.path, f"has more than {file.limits.max_lines} rows")
    return table


def _is_text(schema: Any, name: str) -> bool:
    import pyarrow as pa

    if schema.names.count(name) != 1:
        return False
    kind = schema.field(name).type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _columns(file: InputFile, table: Any) -> list[str]:
    names = table.schema_arrow.names
    if "prompt" not in names:
        raise FormatError(file.path, "has no 'prompt' column")
    return [name for name in TABLE_COLUMNS if name in names]


def _fields(file: InputFile, row: dict[str, object]) -> object | LineRejected:
    longest = file.limits.max_line_bytes
    if sum(len(cell) for cell in row.values() if isinstance(cell, str)) > longest:
        return LineRejected("line_too_long", f"longer than {longest} characters")
    return table_fields(row)


def _cells(column: Any) -> list[object]:
    """Return Python values; text goes through bytes, so that a cell that is not UTF-8 spoils its row only."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        texts = _cells(column.dictionary)
        return [None if place is None else texts[place] for place in column.indices.to_pylist()]
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return list(column.to_pylist())
    values = column.cast(pa.large_binary()).to_pylist()
    return [None if value is None else value.decode(errors="surrogateescape") for value in values]


@contextmanager
def _readable(file: InputFile) -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError, ValueError) as error:
        # Arrow's own text can quote a cell.
        raise FormatError(file.path, f"is not readable as Parquet ({type(error).__name__})") from None
