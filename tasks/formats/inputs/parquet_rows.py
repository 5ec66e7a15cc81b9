"""Parquet files with the columns of a CSV file, read a few hundred rows at a time."""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tasks.formats.errors import FormatError, LineRejected
from tasks.formats.inputs.file import InputFile
from tasks.formats.inputs.rows import TABLE_COLUMNS, Rows, table_fields

_BATCH_ROWS = 256
_BUFFER_BYTES = 1 << 20


def parquet_rows(file: InputFile) -> Rows:
    """Yield each row with its number, from 1; raises FormatError if Arrow cannot read the file."""
    with _with_format_errors(file):
        table = _open(file)
        columns = _columns(file, table)
        row = 0
        for batch in table.iter_batches(batch_size=_BATCH_ROWS, columns=columns, use_threads=False):
            cells = [_cells(column) for column in batch.columns]
            for values in zip(*cells, strict=True):
                row += 1
                if row > file.skip_lines:
                    yield row, _fields(file, dict(zip(batch.schema.names, values, strict=True)))


def _open(file: InputFile) -> Any:
    import pyarrow.parquet as pq

    if isinstance(file.stream, gzip.GzipFile):
        raise FormatError(file.path, "Parquet is compressed inside; it is not read through gzip")
    table = pq.ParquetFile(file.stream, buffer_size=_BUFFER_BYTES, pre_buffer=False)
    text_columns = [name for name in TABLE_COLUMNS if _is_text(table.schema_arrow, name)]
    # Parquet stores a repeated text once. Read as a dictionary, it is in memory once as well; otherwise a
    # file of a few kilobytes could grow to gigabytes in one batch of rows.
    table = pq.ParquetFile(
        file.stream, buffer_size=_BUFFER_BYTES, pre_buffer=False, read_dictionary=text_columns
    )
    if table.metadata.num_rows > file.limits.max_lines:
        raise FormatError(file.path, f"has more than {file.limits.max_lines} rows")
    return table


def _is_text(schema: Any, name: str) -> bool:
    import pyarrow as pa

    if schema.names.count(name) != 1:
        return False
    arrow_type = schema.field(name).type
    return bool(pa.types.is_string(arrow_type) or pa.types.is_large_string(arrow_type))


def _columns(file: InputFile, table: Any) -> list[str]:
    names = table.schema_arrow.names
    if "prompt" not in names:
        raise FormatError(file.path, "has no 'prompt' column")
    return [name for name in TABLE_COLUMNS if name in names]


def _fields(file: InputFile, row: dict[str, object]) -> object | LineRejected:
    limit = file.limits.max_line_bytes
    if sum(len(cell) for cell in row.values() if isinstance(cell, str)) > limit:
        return LineRejected("line_too_long", f"longer than {limit} characters")
    return table_fields(row)


def _cells(column: Any) -> list[object]:
    """Return the column's Python values; text is decoded here, so that invalid UTF-8 rejects only its row."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        texts = _cells(column.dictionary)
        return [None if index is None else texts[index] for index in column.indices.to_pylist()]
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return list(column.to_pylist())
    values = column.cast(pa.large_binary()).to_pylist()
    return [None if value is None else value.decode(errors="surrogateescape") for value in values]


@contextmanager
def _with_format_errors(file: InputFile) -> Iterator[None]:
    """Turn Arrow's errors into a FormatError."""
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError, ValueError) as error:
        # Only the error's class is named: its text may quote a cell.
        raise FormatError(file.path, f"is not readable as Parquet ({type(error).__name__})") from None
