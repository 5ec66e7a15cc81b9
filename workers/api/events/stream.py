"""`GET /v1/batches/{id}/events`: a batch's object each time that it changes, as server-sent events."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable

from sqlalchemy import RowMapping
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from tasks.store.api import batches as api_batches
from workers.api.batches.handlers import batch_of
from workers.api.batches.objects import batch_object
from workers.api.context import Call

POLL_S = 0.5
#: a line that proxies take for life, where nothing changes
_KEEP_ALIVE_S = 15.0
_KEEP_ALIVE = b": nothing new\n\n"


async def batch_events(call: Call) -> Response:
    """Return the events of a batch until it has ended."""
    first = await run_in_threadpool(batch_of, call)
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    events = _events(first, lambda: _again(call, first["id"]))
    return StreamingResponse(events, media_type="text/event-stream", headers=headers)


def _again(call: Call, batch_id: str) -> RowMapping:
    with call.store.read() as connection:
        return api_batches.by_id(connection, batch_id)


async def _events(row: RowMapping, again: Callable[[], RowMapping]) -> AsyncIterator[bytes]:
    shown, spoken = b"", time.monotonic()
    while True:
        event = _event(row)
        if event != shown:
            yield event
            shown, spoken = event, time.monotonic()
        elif time.monotonic() - spoken >= _KEEP_ALIVE_S:
            yield _KEEP_ALIVE
            spoken = time.monotonic()
        if row["state"] in api_batches.FINAL:
            return
        await asyncio.sleep(POLL_S)
        row = await run_in_threadpool(again)


def _event(row: RowMapping) -> bytes:
    name = "end" if row["state"] in api_batches.FINAL else "progress"
    return f"event: {name}\ndata: {json.dumps(batch_object(row))}\n\n".encode()
