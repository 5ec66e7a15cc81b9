"""Pages of lists: `limit`, `after`, and what clients need for the next page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.requests import Request

from tasks.batch_api.errors import ApiError


def limit_of(request: Request, *, default: int, most: int) -> int:
    """Return the query's limit; raises ApiError for one that is not from 1 to `most`."""
    text = request.query_params.get("limit")
    if text is None:
        return default
    if not text.isascii() or not text.isdecimal() or len(text) > 9 or not 1 <= int(text) <= most:
        raise ApiError(f"limit must be from 1 to {most}", param="limit")
    return int(text)


def page_object(items: Sequence[dict[str, Any]], *, limit: int) -> dict[str, Any]:
    """Return the page of items that were read up to one beyond the limit."""
    data = list(items[:limit])
    return {
        "object": "list",
        "data": data,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
        "has_more": len(items) > limit,
    }
