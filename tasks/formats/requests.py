"""What a batch file is read into: requests, and the lines that could not become one."""

import json
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

_COMPACT = (",", ":")
_SORTED = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, allow_nan=False, separators=_COMPACT, sort_keys=True
)
_IN_ORDER = json.JSONEncoder(ensure_ascii=False, check_circular=False, allow_nan=False, separators=_COMPACT)
_SCHEMAS = frozenset({"functions", "response_format", "tools"})


@dataclass(frozen=True, slots=True)
class ParsedRequest:
    """One request of a batch.

    `line` counts from 1 (a Parquet file's row, the first line of a CSV record). `custom_id` is the given one,
    or `line-<line>`. `model` is None when the request is to be routed. `body` is the canonical JSON of the
    endpoint request without its model. `prompt` is what the router sees: the user messages' text, joined by
    blank lines and without NUL, which PostgreSQL's text cannot hold; it is empty only where the user messages
    are images alone.
    """

    line: int
    custom_id: str
    model: str | None
    body: str
    messages: int
    prompt: str
    max_tokens: int | None


@dataclass(frozen=True, slots=True)
class InputError:
    """One line that is no request: a stable `code`, and a `reason` that names the cause."""

    line: int
    code: str
    reason: str
    custom_id: str | None


@dataclass(frozen=True, slots=True)
class InputLimits:
    """Bounds on what one batch file may ask of this process (`max_file_bytes` counts after decompression)."""

    max_line_bytes: int = 4 << 20
    max_depth: int = 64
    max_prompt_chars: int = 1_000_000
    max_lines: int = 50_000_000
    max_file_bytes: int = 256 << 30


def canonical_body(request: dict[str, Any]) -> str:
    """Return compact JSON that is equal for requests that differ in the order of their keys only.

    Inside JSON schemas the order is kept: a model fills the properties of a structured answer in that order.
    Raises ValueError for NaN and infinity, TypeError for a value that is not JSON.
    """
    if _SCHEMAS.isdisjoint(request):
        return _SORTED.encode(request)
    return _IN_ORDER.encode(dict(sorted(request.items())))


def body_hash(body: str) -> bytes:
    """Return the 16-byte BLAKE2b digest by which equal requests of a batch are found."""
    return blake2b(body.encode(), digest_size=16).digest()
