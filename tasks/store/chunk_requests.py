"""The requests of a chunk, as the worker that holds it reads them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, bindparam, select

from tasks.endpoints.endpoint import CHAT_PATH
from tasks.store.tables import request
from tasks.store.values import HeldRequest

_COLUMNS = (
    request.c.id,
    request.c.custom_id,
    request.c.body,
    request.c.messages,
    request.c.max_tokens,
    request.c.model,
    request.c.attempts,
    request.c.model_attempts,
    request.c.chunk_id,
    request.c.batch_no,
    request.c.losses,
    request.c.endpoint,
    request.c.left_out,
)


def _in_chunk(*columns: ColumnElement[Any]) -> Select[Any]:
    held = (request.c.chunk_id == bindparam("chunk_id"), request.c.state == "held")
    return select(*columns).where(*held).order_by(request.c.id)


# Built once: that takes longer than to run them, and every chunk needs them.
_REQUESTS = _in_chunk(*_COLUMNS)
_BODIES = _in_chunk(request.c.endpoint, request.c.body)


def requests_of(connection: Connection, chunk_id: int) -> list[HeldRequest]:
    """Return the held requests of a chunk, in input order."""
    return [_request_of(*row) for row in connection.execute(_REQUESTS, {"chunk_id": chunk_id})]


def bodies_of(connection: Connection, chunk_id: int) -> list[tuple[str, str]]:
    """Return (endpoint, body) of the held requests of a chunk, in input order."""
    rows = connection.execute(_BODIES, {"chunk_id": chunk_id})
    return [(endpoint or CHAT_PATH, body) for endpoint, body in rows]


def _request_of(
    id_: int,
    custom_id: str,
    body: str,
    messages: int,
    max_tokens: int | None,
    model: str | None,
    attempts: int,
    model_attempts: int,
    chunk_id: int,
    batch_no: int,
    losses: int,
    endpoint: str | None,
    left_out: str | None,
) -> HeldRequest:
    """Return the request in a row of `_COLUMNS`."""
    size = len(body.encode())
    counts = (attempts, model_attempts)
    return HeldRequest(
        id_,
        custom_id,
        body,
        size,
        messages,
        max_tokens,
        model,
        *counts,
        chunk_id,
        batch_no,
        losses=losses,
        endpoint=endpoint or CHAT_PATH,
        left_out=left_out,
    )
