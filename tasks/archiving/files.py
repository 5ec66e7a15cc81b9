"""The files of an archive: one Parquet file for each table, with its number of rows and their hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import JSON, Boolean, Float, Integer, LargeBinary, Table

from tasks.errors import UsageError
from tasks.private_home import private_opener

#: the keys of a file's metadata
BATCH, TABLE, ROWS, HASH = "waybill.batch", "waybill.table", "waybill.rows", "waybill.sha256"
_TYPES: Sequence[tuple[type, Any]] = (
    (Boolean, pa.bool_()), (Integer, pa.int64()), (Float, pa.float64()), (LargeBinary, pa.binary()),
)  # fmt: skip

_ENCODER = json.JSONEncoder(default=bytes.hex)


class _RowHash:
    """The hash of rows, one after the other, whatever the pages in which they come."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.rows = 0

    def add(self, rows: Iterable[Mapping[str, Any]]) -> None:
        for row in rows:
            self._hash.update(_ENCODER.encode(list(row.values())).encode())
            self.rows += 1

    def digest(self) -> str:
        return self._hash.hexdigest()


def write_table(
    folder: Path, table: Table, batch_id: str, pages: Iterable[Sequence[Mapping[Any, Any]]]
) -> str:
    """Write the rows of a table, and return their hash."""
    schema, hashed = _schema(table), _RowHash()
    with (
        open(_path(folder, table), "xb", opener=private_opener) as file,
        pq.ParquetWriter(file, schema, compression="zstd") as writer,
    ):
        for rows in pages:
            values = [_plain(table, row) for row in rows]
            hashed.add(values)
            writer.write_table(pa.Table.from_pylist(values, schema=schema))
        writer.add_key_value_metadata(
            {BATCH: batch_id, TABLE: table.name, ROWS: str(hashed.rows), HASH: hashed.digest()}
        )
    return hashed.digest()


def read_table(folder: Path, table: Table) -> Iterator[list[dict[str, Any]]]:
    """Yield the rows of a table as the store holds them, some thousands at a time."""
    json_names = [column.name for column in table.columns if isinstance(column.type, JSON)]
    for rows in _read(folder, table):
        for row in rows:
            for name in json_names:
                row[name] = None if row[name] is None else json.loads(row[name])
        yield rows


def checked_hash(folder: Path, table: Table) -> tuple[str, str]:
    """Return the batch of a table's file and the hash of its rows.

    Raises:
        UsageError: The file is missing, damaged, or holds other rows than were written.
    """
    path, hashed = _path(folder, table), _RowHash()
    try:
        metadata = {k.decode(): v.decode() for k, v in (pq.read_metadata(path).metadata or {}).items()}
        for rows in _read(folder, table):
            hashed.add(rows)
    except (OSError, pa.ArrowException) as error:
        raise UsageError(f"{path}: cannot be read ({type(error).__name__})") from None
    if (metadata.get(ROWS), metadata.get(HASH)) != (str(hashed.rows), hashed.digest()):
        raise UsageError(f"{path}: its rows are not those that were written")
    return metadata.get(BATCH, ""), hashed.digest()


def _read(folder: Path, table: Table) -> Iterator[list[dict[str, Any]]]:
    with pq.ParquetFile(_path(folder, table)) as file:
        for index in range(file.num_row_groups):
            yield file.read_row_group(index).to_pylist()


def _path(folder: Path, table: Table) -> Path:
    return folder / f"{table.name}.parquet"


def _schema(table: Table) -> pa.Schema:
    return pa.schema([(column.name, _type_of(column.type)) for column in table.columns])


def _type_of(kind: object) -> Any:
    return next((arrow for sql, arrow in _TYPES if isinstance(kind, sql)), pa.string())


def _plain(table: Table, row: Mapping[Any, Any]) -> dict[str, Any]:
    return {
        column.name: json.dumps(row[column.name])
        if isinstance(column.type, JSON) and row[column.name] is not None
        else row[column.name]
        for column in table.columns
    }
