"""The batches of a key at an API server, and the one that an id or a name means."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from tasks.errors import UnknownBatch
from tasks.store.batches import only_one
from workers.backends.server.connection import Connection

#: the most batches of one page of the API
_PAGE: Final = 100


def found(server: Connection, text: str | None) -> str:
    """Return the id of the batch with this id, or else the only one with this name; for None of the newest.

    Raises:
        UnknownBatch: There is none.
        UsageError: Several have this name.
    """
    if text is None:
        newest = next(pages(server, 1), None)
        if newest is None:
            raise UnknownBatch(None)
        return str(newest["id"])
    try:
        return str(server.get(f"/batches/{checked(text)}")["id"])
    except UnknownBatch:
        return _named(server, text)


def _named(server: Connection, name: str) -> str:
    # One that was refused has no requests: its file was mended and submitted again under the same name.
    named = [
        str(one["id"])
        for one in pages(server, _PAGE)
        if (one.get("metadata") or {}).get("waybill_name") == name and one["status"] != "failed"
    ]
    if not named:
        raise UnknownBatch(name)
    return only_one(name, named)


def pages(server: Connection, limit: int) -> Iterator[dict[str, Any]]:
    """Yield the key's batches, newest first, page by page."""
    after: dict[str, str] = {}
    while True:
        page = server.get("/batches", limit=min(limit, _PAGE), **after)
        yield from page["data"]
        if not page["has_more"]:
            return
        after = {"after": page["last_id"]}


def checked(batch_id: str) -> str:
    """Return an id, which goes into a path; raises UnknownBatch for a text that is none."""
    if not batch_id.replace("_", "").isalnum():
        raise UnknownBatch(batch_id)
    return batch_id
