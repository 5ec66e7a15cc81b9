"""Results as Parquet: the flat columns with fixed types, written in row groups."""

from typing import Any, BinaryIO

from tasks.formats.outputs.flat import COLUMNS, flat_row
from tasks.formats.results import ResultRecord
from tasks.json_values import to_json

_GROUP_ROWS = 4096
_GROUP_CHARS = 16 << 20
_INTEGERS = frozenset({
    "line", "prompt_tokens", "completion_tokens", "attempts", "status_code",
    "reasoning_tokens", "cached_tokens", "cache_write_tokens",
})  # fmt: skip
_FLOATS = frozenset({"gap", "cost_usd", "latency_ms", "saved_usd"})
_BOOLEANS = frozenset({"used_fallback", "without_answer", "valid"})
_TEXT_LISTS = frozenset({"images", "mended", "dropped"})
#: columns of lists and structs, whose values have the types of `_nested` already
_NESTED = frozenset({"tool_calls", "citations", "audio"})


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
        row = {name: _cell(name, value) for name, value in flat_row(record).items() if value is not None}
        self._rows.append(row)
        self._chars += sum(map(_chars, row.values()))
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

    types = {
        **dict.fromkeys(_INTEGERS, pa.int64()),
        **dict.fromkeys(_FLOATS, pa.float64()),
        **dict.fromkeys(_BOOLEANS, pa.bool_()),
        **dict.fromkeys(_TEXT_LISTS, pa.list_(pa.string())),
        **_nested(pa),
    }
    return pa.schema([pa.field(name, types.get(name, pa.string())) for name in COLUMNS])


def _nested(pa: Any) -> dict[str, Any]:
    def struct(**fields: Any) -> Any:
        return pa.struct(list(fields.items()))

    text, whole = pa.string(), pa.int64()
    function = struct(name=text, arguments=text)
    citation = struct(url=text, title=text, text=text, start_index=whole, end_index=whole)
    return {
        "tool_calls": pa.list_(struct(id=text, type=text, function=function)),
        "citations": pa.list_(citation),
        "audio": struct(id=text, data=text, transcript=text),
    }


def _cell(name: str, value: object) -> object:
    """Return the value in its column's type; a provider's value that is not a number becomes null."""
    if name in _INTEGERS:
        return value if isinstance(value, int) and abs(value) < 2**63 else None
    if name in _FLOATS:
        return float(value) if isinstance(value, int | float) else None
    if name in _BOOLEANS:
        return bool(value)
    if name in _NESTED:
        return _encodable(value)
    if name in _TEXT_LISTS:
        return [_as_text(item) for item in value] if isinstance(value, list) else [_as_text(value)]
    return _as_text(value)


def _as_text(value: object) -> str:
    text = value if isinstance(value, str) else to_json(value)
    return text.encode(errors="replace").decode()


def _encodable(value: Any) -> Any:
    """Return the value with every text in it encodable: half an emoji has no UTF-8."""
    if isinstance(value, str):
        return _as_text(value)
    if isinstance(value, list):
        return [_encodable(item) for item in value]
    return {key: _encodable(item) for key, item in value.items()} if isinstance(value, dict) else value


def _chars(value: object) -> int:
    """Return the number of characters of every text in the value."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, list):
        return sum(map(_chars, value))
    return sum(map(_chars, value.values())) if isinstance(value, dict) else 0
