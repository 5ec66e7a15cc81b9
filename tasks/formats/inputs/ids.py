"""The ids of plain lines and table rows, as text."""

from __future__ import annotations

import operator
from datetime import date
from decimal import Decimal
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


def _bytes_text(value: bytes) -> str:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return value.hex()
    return text if text.isprintable() else value.hex()
