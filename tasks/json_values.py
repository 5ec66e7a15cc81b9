"""JSON values of other people: parts of the expected type, and JSON that any reader accepts."""

from __future__ import annotations

import json
import math
from typing import Any


def object_of(value: object) -> dict[str, Any]:
    """Return the value if it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def list_of(value: object) -> list[Any]:
    """Return the value if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def objects_in(value: object) -> list[dict[str, Any]]:
    """Return the objects in a list; none of anything else."""
    return [item for item in list_of(value) if isinstance(item, dict)]


def to_json(value: object) -> str:
    """Return one line of JSON, with null for NaN and infinity, which JSON lacks.

    A lone surrogate (half of a truncated emoji) has no UTF-8 encoding and is written as a `\\u` escape.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except ValueError:
        text = json.dumps(_finite(value), ensure_ascii=False, allow_nan=False)
    return text.encode(errors="backslashreplace").decode()


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
