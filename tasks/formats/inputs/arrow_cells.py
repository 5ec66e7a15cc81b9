"""The rows of an Arrow batch as Python values, bounded in memory."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

from tasks.formats.errors import LineRejected


def batch_rows(batch: Any, limit: int) -> Iterator[tuple[object, ...] | LineRejected]:
    """Yield the cells of each row; a row with more text than the limit, or with invalid text, is rejected."""
    columns = [_cells(column, limit) for column in batch.columns]
    for cells in zip(*columns, strict=True):
        rejected = next((cell for cell in cells if isinstance(cell, LineRejected)), None)
        if rejected is None and sum(len(cell) for cell in cells if isinstance(cell, str)) > limit:
            rejected = _too_long(limit)
        yield rejected or cells


def _cells(column: Any, limit: int) -> Iterator[object]:
    """Yield the column's Python values; text is decoded here, so that invalid UTF-8 rejects only its row."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_dictionary(kind):
        texts = list(_cells(column.dictionary, limit))
        yield from (None if index is None else texts[index] for index in column.indices.to_pylist())
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        for value in column.cast(pa.large_binary()).to_pylist():
            yield None if value is None else value.decode(errors="surrogateescape")
    elif pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        yield from map(_text_or_bytes, column.to_pylist())
    elif pa.types.is_nested(kind):
        yield from _nested_cells(column, limit)
    else:
        yield from column.to_pylist()


def _text_or_bytes(value: bytes | None) -> object:
    """Return bytes as the text that they are: some writers of Parquet do not mark text as such."""
    try:
        return value if value is None else value.decode()
    except UnicodeDecodeError:
        return value


def _nested_cells(column: Any, limit: int) -> Iterator[object]:
    """Yield lists and structs, one after the other: a repeated text is in memory for one row at a time.

    Arrow checks neither offsets nor text by itself, and a damaged offset would end the process.
    """
    column.validate(full=True)
    is_small, has_maps = _text_bytes(column) <= limit, "map<" in str(column.type)
    for index in range(len(column)):
        if not is_small and _text_bytes(column.slice(index, 1)) > limit:
            yield _too_long(limit)
            continue
        yield _with_objects(column[index]) if has_maps else column[index].as_py()


def _with_objects(value: Any) -> object:
    """Return a value whose maps are objects; of a key that a map holds twice, the last one counts."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # Arrow would quote that key
        return value.as_py(maps_as_pydicts="lossy")


def _text_bytes(array: Any) -> int:
    """Return the bytes of all texts in an array, in whatever depth, without making Python values of them."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = array.type
    if pa.types.is_dictionary(kind):
        lengths = pc.binary_length(array.dictionary.cast(pa.large_binary()))
        return int(pc.sum(lengths.take(array.indices)).as_py() or 0)
    if pa.types.is_struct(kind):
        return sum(map(_text_bytes, array.flatten()))
    if pa.types.is_map(kind):
        entry = pa.struct([("key", kind.key_type), ("value", kind.item_type)])
        return _text_bytes(array.cast(pa.list_(entry)))
    if pa.types.is_nested(kind):
        return _text_bytes(array.flatten()) if hasattr(array, "flatten") else array.nbytes
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return int(pc.sum(pc.binary_length(array)).as_py() or 0)
    return int(array.nbytes)


def _too_long(limit: int) -> LineRejected:
    return LineRejected("line_too_long", f"longer than {limit} characters")
