"""Results as Parquet: the flat columns with fixed types, written in row groups."""

from typing import Any, BinaryIO

from tasks.formats.outputs.flat import COLUMNS, flat_row
from tasks.formats.outputs.sink import to_json
from tasks.formats.results import ResultRecord

_GROUP_ROWS = 4096
_GROUP_CHARS = 16 << 20
_INTEGERS = frozenset({"line", "prompt_tokens", "completion_tokens", "attempts", "status_code"})
_FLOATS = frozenset({"gap", "cost_usd", "latency_ms"})
_BOOLEANS = frozenset({"used_fallback"})


class ParquetTable:
    """A sink that buffers rows and writes a row group once it has enough rows or characters."""

    def __init__(self, stream: BinaryIO) -> None:
        import pyarrow.parquet as pq

        self._schema = _schema()
        self._file = pq.ParquetWriter(stream, self._schema, compression="zstd")
        self._rows: list[dict[str, object]] = []
        self._chars = 0

    def write(self, record: ResultRecord) -> None:
        """Add one row."""
        row = {name: _cell(name, value) for name, value in flat_row(record).items()}
        self._rows.append(row)
        self._chars += sum(len(value) for value in row.values() if isinstance(value, str))
        if len(self._rows) >= _GROUP_ROWS or self._chars >= _GROUP_CHARS:
            self._write_group()

    def finish(self) -> None:
        """Write the last row group and the footer."""
        try:
            if self._rows:
                self._write_group()
        finally:
            self._file.close()

    def _write_group(self) -> None:
        import pyarrow as pa

        self._file.write_table(pa.Table.from_pylist(self._rows, schema=self._schema))
        self._rows, self._chars = [], 0


def _schema() -> Any:
    import pyarrow as pa

    def arrow_type(name: str) -> Any:
        if name in _INTEGERS:
            return pa.int64()
        if name in _FLOATS:
            return pa.float64()
        return pa.bool_() if name in _BOOLEANS else pa.string()

    return pa.schema([pa.field(name, arrow_type(name)) for name in COLUMNS])


def _cell(name: str, value: object) -> object:
    """Return the value in its column's type; a provider's value that is not a number becomes null."""
    if value is None:
        return None
    if name in _INTEGERS:
        return value if isinstance(value, int) and abs(value) < 2**63 else None
    if name in _FLOATS:
        return float(value) if isinstance(value, int | float) else None
    if name in _BOOLEANS:
        return bool(value)
    text = value if isinstance(value, str) else to_json(value)
    return text.encode(errors="replace").decode()
