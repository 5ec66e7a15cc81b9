"""JSON bodies of bounded size and depth, and their fields."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar

from starlette.requests import Request

from tasks.batch_api.errors import ApiError
from workers.api.errors.responses import TooLarge

T = TypeVar("T")
MAX_BYTES = 256 << 10
_MAX_DEPTH = 16


async def json_body(request: Request) -> dict[str, Any]:
    """Return the object in the body of a request; raises ApiError for any other body."""
    data = bytearray()
    async for part in request.stream():
        data += part
        if len(data) > MAX_BYTES:
            raise TooLarge(f"the body is larger than {MAX_BYTES} bytes")
    try:
        value = json.loads(data, parse_constant=_refuse, parse_float=_number) if data else {}
    except (ValueError, RecursionError):  # also for what is not UTF-8
        raise ApiError("the body is not valid JSON", code="invalid_json") from None
    if not isinstance(value, dict):
        raise ApiError("the body is not a JSON object", code="invalid_json")
    if not _can_be_stored(value):
        raise ApiError("the body holds a NUL character or half of a surrogate pair", code="invalid_json")
    if _is_deeper(value, _MAX_DEPTH):
        raise ApiError(f"the body is nested more than {_MAX_DEPTH} levels deep", code="invalid_json")
    return value


def field(body: Mapping[str, Any], name: str, kind: type[T], default: T | None = None) -> T:
    """Return a field of this type; raises ApiError for another type, or a missing field without a default."""
    value = body.get(name)
    if value is None and default is not None:
        return default
    if value is None:
        raise ApiError(f"{name} is missing", code="missing_required_parameter", param=name)
    if not isinstance(value, kind) or isinstance(value, bool) is not (kind is bool):
        raise ApiError(f"{name} is of the wrong type", code="invalid_type", param=name)
    return value


def _refuse(constant: str) -> None:
    """Refuse NaN and Infinity, which Python reads and JSON lacks."""
    raise ValueError(constant)


def _number(text: str) -> float:
    """Return a number; JSON knows no difference between 3600 and 3600.0."""
    value = float(text)
    return int(value) if value.is_integer() else value


def _can_be_stored(value: object) -> bool:
    """Return whether a database takes all texts of a value."""
    try:
        # Without escaped backslashes, after which `u0000` is text.
        return b"\\u0000" not in json.dumps(value, ensure_ascii=False).encode().replace(rb"\\", b"")
    except (UnicodeEncodeError, RecursionError):
        return False


def _is_deeper(value: object, most: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    items = value.values() if isinstance(value, dict) else value
    return most == 0 or any(_is_deeper(item, most - 1) for item in items)
