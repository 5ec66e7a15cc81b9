"""The interface of the output formats, and JSON that any reader accepts."""

import json
import math
from typing import Any, Protocol

from tasks.formats.results import ResultRecord


class Sink(Protocol):
    """A writer of records to one open file."""

    def write(self, record: ResultRecord) -> None:
        """Write one record."""

    def finish(self) -> None:
        """Write what is still buffered; the file itself stays open."""


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
