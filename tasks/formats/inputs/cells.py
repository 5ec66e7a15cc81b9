"""The values of table cells: what counts as missing, and cells as parameters and messages."""

from __future__ import annotations

import json
import math
import re
from functools import lru_cache
from typing import Any

from tasks.formats.errors import LineRejected
from tasks.parameters.kinds import NUMBER, Kind

#: types of values that are JSON's already and never a missing value
_JSON_TYPES = frozenset((str, int, bool, dict, list, type(None)))
#: how pandas writes a missing value that is neither None nor NaN
_MISSING_TYPES = frozenset({"NAType", "NaTType"})
_SPOKEN = {"true": True, "false": False}
#: how tables write a missing value as text; where a parameter may be any text, such a word is one
_MISSING_WORDS = frozenset({"nan", "null", "none", "na", "n/a", "<na>", "nat", "#n/a"})
#: a number as Excel writes it in half of Europe
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")


def is_missing(cell: object) -> bool:
    """Return whether a cell is empty; pandas writes a missing value as NaN, NA or NaT."""
    if isinstance(cell, str):
        return not cell
    if isinstance(cell, float):
        return math.isnan(cell)
    return cell is None or type(cell).__name__ in _MISSING_TYPES


def parameter(cell: object, kind: Kind | None) -> object:
    """Return a cell as a parameter's value; what is not of its kind stays as it is, for the check."""
    if isinstance(cell, str):
        return _from_short_text(cell, kind) if len(cell) <= _SHORT else _from_text(cell, kind)
    if kind is not None and not kind.accepts(cell):
        return _closest(cell, kind)
    return without_nulls(cell)


def plain_values(item: dict[str, Any]) -> dict[str, Any]:
    """Return a dict with JSON's values: rows of data frames hold numpy's numbers, NaN for a missing one."""
    if _JSON_TYPES.issuperset(map(type, item.values())):
        return item
    plain = {name: _plain(value) for name, value in item.items()}
    return {name: v for name, v in plain.items() if v is None or isinstance(v, str) or not is_missing(v)}


def nested(cell: object, *, is_json: bool) -> object:
    """Return a cell that may hold a list or an object, in text as JSON; raises LineRejected."""
    if isinstance(cell, str) and not is_json:
        return cell
    if not isinstance(cell, str):
        return without_nulls(cell)
    try:
        return json.loads(cell)
    except (ValueError, RecursionError):
        raise LineRejected("invalid_messages", "the cell of the conversation is not JSON") from None


def without_nulls(value: Any) -> Any:
    """Return a nested value without its nulls: in a table all rows have the keys of every row.

    A null `content` stays: it belongs to a turn of tool calls.
    """
    if isinstance(value, dict):
        return {
            key: without_nulls(item) for key, item in value.items() if item is not None or key == "content"
        }
    if isinstance(value, (list, tuple)) or type(value).__name__ == "ndarray":
        return [without_nulls(item) for item in value]
    return value


def _plain(value: Any) -> Any:
    """Return a scalar of numpy as Python's own, anything else as it is."""
    is_scalar = type(value).__module__ == "numpy" and hasattr(value, "item") and not hasattr(value, "__len__")
    return value.item() if is_scalar else value


def _from_text(text: str, kind: Kind | None) -> object:
    stripped = text.strip()
    if kind is not None and not kind.accepts(text):
        if stripped.lower() in _MISSING_WORDS:
            return None
        if kind is NUMBER and _DECIMAL_COMMA.fullmatch(stripped):
            return float(stripped.replace(",", "."))
    is_plain = kind is not None and kind.accepts(text) and not stripped.startswith(("[", "{"))
    value = text if is_plain else _json(stripped, text)
    if kind is None or kind.accepts(value):
        return value
    return text if kind.accepts(text) else _closest(value, kind)


#: the longest text of a parameter that is kept: a batch has few values of a parameter, each in many rows
_SHORT = 12
_from_short_text = lru_cache(maxsize=1024)(_from_text)


def _json(stripped: str, text: str) -> object:
    if stripped.lower() in _SPOKEN:
        return _SPOKEN[stripped.lower()]
    try:
        return json.loads(stripped)
    except (ValueError, RecursionError):
        return text


def _closest(value: object, kind: Kind) -> object:
    """Return the value in another type if that is of the kind: 256.0 is a whole number, 1 is true."""
    if not isinstance(value, str) and hasattr(value, "__float__") and not isinstance(value, bool):
        number = float(value)
        for other in (number, int(number)) if number.is_integer() else (number,):
            if kind.accepts(other):
                return other
    return value
