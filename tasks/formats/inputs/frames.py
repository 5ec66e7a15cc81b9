"""Tables in memory as input: data frames (pandas, Polars), Arrow tables and Hugging Face datasets.

They are known by what they can do, so that none of these packages is needed. Iterating over a data frame
yields the names of its columns: it must never be taken for a list of prompts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from tasks.formats.errors import LineRejected, OptionsError
from tasks.formats.inputs.arrow_cells import batch_rows
from tasks.formats.inputs.columns import TableColumns
from tasks.formats.inputs.options import Plan
from tasks.formats.inputs.rows import Rows

_BATCH_ROWS = 256


def is_table(value: object) -> bool:
    """Return whether a value has named columns; a Series, a list and a dict have none."""
    return _has_columns(value) or _is_splits(value) or is_columns(value)


def is_columns(value: object) -> bool:
    """Return whether a value is a dict of columns: of lists, arrays or series, and no request."""
    if not isinstance(value, dict) or not value or not all(map(_is_column, value.values())):
        return False
    messages = value.get("messages")
    # A list of messages is one conversation; a column holds a list of them in each row.
    return messages is None or not all(isinstance(one, dict) and "role" in one for one in messages)


def is_read_once(value: object) -> bool:
    """Return whether an input can be read only once: an iterator, or a stream of Arrow batches."""
    return isinstance(value, Iterator) or hasattr(value, "read_next_batch")


def table_rows(table: object, plan: Plan, limit: int) -> Rows:
    """Yield each row with its number, from 1; raises OptionsError if no column holds the prompt."""
    if _is_lazy(table):
        raise OptionsError("a lazy frame is a plan, not a table: give its .collect()")
    if _is_splits(table):
        raise OptionsError(f"a dict of data sets: give one of them: {', '.join(map(str, table))}")  # type: ignore[call-overload]
    if is_columns(table):
        _check_lengths(table)  # type: ignore[arg-type]
    names = list(table) if isinstance(table, dict) else _column_names(table) or []
    texts = [str(name) for name in names]
    columns = TableColumns(texts, plan, lambda reason: OptionsError(f"the table {reason}"))
    wanted = [names[index] for index, _ in columns.used]
    for number, cells in enumerate(_rows(table, wanted, limit), start=1):
        yield number, cells if isinstance(cells, LineRejected) else columns.fields_of_used(cells)


def _column_names(value: Any) -> Sequence[Any] | None:
    """Return the names of the columns of a table, None for anything else."""
    if isinstance(value, (str, bytes, dict, list, tuple)):
        return None
    for name in ("column_names", "columns"):
        found = getattr(value, name, None)
        if found is not None and not callable(found) and isinstance(found, Iterable):
            # An Arrow table's `columns` are its columns, but it has `column_names`, too.
            return list(found)
    names = getattr(getattr(value, "schema", None), "names", None)
    return list(names) if names is not None and not callable(names) else None


def _is_column(value: object) -> bool:
    is_sized = hasattr(value, "__len__") and hasattr(value, "__getitem__")
    return is_sized and not isinstance(value, (str, bytes, bytearray, dict)) and not _has_columns(value)


def _check_lengths(columns: dict[Any, Any]) -> None:
    lengths = {str(name): len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise OptionsError(f"the columns of the dict have different lengths: {shown}")


def _is_lazy(value: object) -> bool:
    return hasattr(value, "collect") and hasattr(value, "lazy") and not hasattr(value, "__arrow_c_stream__")


def _is_splits(value: object) -> bool:
    return isinstance(value, dict) and bool(value) and all(map(_has_columns, value.values()))


def _has_columns(value: object) -> bool:
    # First: a lazy frame would work its columns out when it is asked for them, and warn of that.
    return _is_lazy(value) or _column_names(value) is not None


def _rows(table: Any, names: list[Any], limit: int) -> Iterable[tuple[object, ...] | LineRejected]:
    if isinstance(table, dict):
        return zip(*(table[name] for name in names), strict=True)
    if hasattr(table, "itertuples"):
        # pandas: Arrow refuses columns whose values have several types, which are common there.
        return table[names].itertuples(index=False, name=None)  # type: ignore[no-any-return]
    if hasattr(table, "with_format") and hasattr(table, "select_columns"):
        return _dataset_rows(table.select_columns(names), limit)
    selected = table.select(names) if hasattr(table, "select") else table
    if hasattr(selected, "__arrow_c_stream__"):
        return _arrow_rows(selected, names, limit)
    raise OptionsError(f"a {type(table).__name__} cannot be read: give an Arrow table or a list of dicts")


def _dataset_rows(dataset: Any, limit: int) -> Iterator[tuple[object, ...] | LineRejected]:
    """Yield the rows of a Hugging Face dataset, with its selection and order."""
    for table in dataset.with_format("arrow").iter(batch_size=_BATCH_ROWS):
        yield from _arrow_rows(table, table.column_names, limit)


def _arrow_rows(table: Any, names: list[Any], limit: int) -> Iterator[tuple[object, ...] | LineRejected]:
    import pyarrow as pa

    reader = pa.RecordBatchReader.from_stream(table)
    for batch in reader:
        for start in range(0, batch.num_rows, _BATCH_ROWS):
            yield from batch_rows(batch.slice(start, _BATCH_ROWS).select(names), limit)
