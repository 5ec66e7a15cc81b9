"""Parquet and Arrow (Feather) files with the columns of a CSV file, read a few hundred rows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tasks.formats.errors import FormatError
from tasks.formats.inputs.arrow_cells import batch_rows
from tasks.formats.inputs.columns import TableColumns
from tasks.formats.inputs.file import InputFile
from tasks.formats.inputs.options import Plan
from tasks.formats.inputs.rows import Rows

_BATCH_ROWS = 256
_BUFFER_BYTES = 1 << 20
#: in the path of a map's keys and values, which Arrow cannot read as dictionaries
_MAP = ".key_value."


def parquet_rows(file: InputFile, plan: Plan) -> Rows:
    """Yield each row with its number, from 1; raises FormatError if Arrow cannot read the file."""
    with _with_format_errors(file, "Parquet"):
        schema = _parquet(file, []).schema_arrow
        columns = TableColumns(schema.names, plan, lambda reason: FormatError(file.path, reason))
        names = [schema.names[index] for index, _ in columns.used]
        table = _parquet(file, _text_leaves(file, names))
        if table.metadata.num_rows > file.limits.max_lines:
            raise FormatError(file.path, f"has more than {file.limits.max_lines} rows")
        batches = table.iter_batches(batch_size=_BATCH_ROWS, columns=names, use_threads=False)
        # Parquet has the columns in the file's order, whatever the order asked for.
        yield from _numbered(file, columns, batches)


def arrow_rows(file: InputFile, plan: Plan) -> Rows:
    """Yield each row of an Arrow IPC (Feather) file with its number; raises FormatError as above."""
    import pyarrow as pa

    with _with_format_errors(file, "Arrow"):
        reader = pa.ipc.open_file(file.stream)
        columns = TableColumns(reader.schema.names, plan, lambda reason: FormatError(file.path, reason))
        indexes = [index for index, _ in columns.used]
        batches = (
            batch.select(indexes).slice(start, _BATCH_ROWS)
            for batch in map(_valid, map(reader.get_batch, range(reader.num_record_batches)))
            for start in range(0, batch.num_rows, _BATCH_ROWS)
        )
        yield from _numbered(file, columns, batches)


def _valid(batch: Any) -> Any:
    """Return the batch, of which Arrow has checked no offset yet: a damaged one would end the process."""
    batch.validate(full=True)
    return batch


def _numbered(file: InputFile, columns: TableColumns, batches: Iterator[Any]) -> Rows:
    row = 0
    for batch in batches:
        for cells in batch_rows(batch, file.limits.max_line_bytes):
            row += 1
            if row > file.limits.max_lines:
                raise FormatError(file.path, f"has more than {file.limits.max_lines} rows")
            yield row, columns.fields_of_used(cells) if isinstance(cells, tuple) else cells


def _parquet(file: InputFile, dictionaries: list[str]) -> Any:
    import pyarrow.parquet as pq

    # Parquet stores a repeated text once. Read as a dictionary, it is in memory once as well; otherwise a
    # file of a few kilobytes could grow to gigabytes in one batch of rows.
    return pq.ParquetFile(
        file.stream, buffer_size=_BUFFER_BYTES, pre_buffer=False, read_dictionary=dictionaries
    )


def _text_leaves(file: InputFile, names: list[str]) -> list[str]:
    """Return the paths of the text columns, those inside of lists and structs included."""
    schema = _parquet(file, []).schema
    leaves = [schema.column(index) for index in range(len(schema.names))]
    return [
        leaf.path
        for leaf in leaves
        if leaf.physical_type == "BYTE_ARRAY"
        and leaf.logical_type.type == "STRING"
        and _MAP not in leaf.path
        and any(leaf.path == name or leaf.path.startswith(f"{name}.") for name in names)
    ]


@contextmanager
def _with_format_errors(file: InputFile, kind: str) -> Iterator[None]:
    """Turn Arrow's errors into a FormatError."""
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError, ValueError, IndexError) as error:
        # Only the error's class is named: its text may quote a cell.
        raise FormatError(file.path, f"is not readable as {kind} ({type(error).__name__})") from None
