"""The rows that every format is read into: a line's number, and its unchecked fields or an error."""

import math
from collections.abc import Iterator, Mapping
from typing import TypeAlias

from tasks.formats.errors import LineRejected

Row: TypeAlias = tuple[int, object | LineRejected]
Rows: TypeAlias = Iterator[Row]

TABLE_COLUMNS = ("id", "prompt", "system", "model", "max_tokens")


def table_fields(cells: Mapping[str, object]) -> dict[str, object]:
    """Return the fields of a plain line from a table row; empty optional cells count as absent."""
    fields = {name: cells[name] for name in TABLE_COLUMNS if not _is_empty(cells.get(name))}
    fields["prompt"] = fields.get("prompt", "")
    if "max_tokens" in fields:
        fields["max_tokens"] = _whole_number(fields["max_tokens"])
    return fields


def _is_empty(cell: object) -> bool:
    # pandas writes a missing number as NaN.
    return cell is None or cell == "" or (isinstance(cell, float) and math.isnan(cell))


def _whole_number(cell: object) -> object:
    """Return the cell as an int if it is a whole number in another type (text, or pandas' 256.0)."""
    if isinstance(cell, float) and cell.is_integer():
        return int(cell)
    if isinstance(cell, str) and cell.strip().isdecimal() and len(cell) < 20:
        return int(cell)
    return cell
