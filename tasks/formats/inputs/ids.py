"""The ids of plain lines and table rows, as text."""

from __future__ import annotations

import operator
from datetime import date
from decimal import Decimal
from numbers import Integral
from uuid import UUID


def id_text(value: object) -> object:
    """Return an id as text: whole numbers, UUIDs, dates and bytes, too; any other value stays as it is."""
    if isinstance(value, str | bool):
        return value
    if isinstance(value, float | Decimal):
        return str(int(value)) if value == value and value % 1 == 0 else value
    if isinstance(value, UUID | date):
        return str(value) if isinstance(value, UUID) else value.isoformat()
    if isinstance(value, bytes):
        return _bytes_text(value)
    try:
        return str(operator.index(value))  # type: ignore[arg-type]
    except TypeError:
        return value


def is_whole_number(value: object) -> bool | None:
    """Return whether an id is a whole number, maybe as a float, as where others lack; None for no id."""
    if value is None:
        return None
    if isinstance(value, float):
        return value.is_integer() if value == value else None
    return isinstance(value, Integral) and not isinstance(value, bool)


def _bytes_text(value: bytes) -> str:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return value.hex()
    return text if text.isprintable() else value.hex()
