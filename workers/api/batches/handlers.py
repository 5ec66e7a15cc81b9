"""`/v1/batches`: create, list, retrieve and cancel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import RowMapping
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from tasks.batch_api import creation, ending
from tasks.batch_api.creation import NewBatch
from tasks.batch_api.errors import ApiError, Conflict, NotFound
from tasks.store.api import batches as api_batches
from workers.api.batches.objects import batch_object, status_of
from workers.api.context import Call
from workers.api.door.json_body import field, json_body
from workers.api.files.handlers import kept_seconds
from workers.api.pages.page import limit_of, page_object

_DEFAULT_PAGE, _MAX_PAGE = 20, 100
_MAX_PAIRS, _MAX_KEY, _MAX_VALUE = 16, 64, 512
_MAX_IDEMPOTENCY_KEY = 255
#: What cannot be cancelled any more. A batch that was cancelled can: the first answer may have been lost.
_TOO_LATE = ("completed", "expired", "failed")


async def create_batch(call: Call) -> Response:
    """Create a batch, or return the one that an equal creation made."""
    new = _new_batch(await json_body(call.request), call.request.headers.get("idempotency-key"))
    context = call.context
    row = await run_in_threadpool(creation.create, context.store, context.settings, call.key, new)
    return JSONResponse(batch_object(row))


def list_batches(call: Call) -> Response:
    """Return a page of the key's batches, the newest first."""
    limit = limit_of(call.request, default=_DEFAULT_PAGE, most=_MAX_PAGE)
    after = call.request.query_params.get("after")
    with call.store.read() as connection:
        rows = api_batches.page(connection, call.key.id, after=after, limit=limit + 1)
    if rows is None:
        raise NotFound("batch", after or "", param="after")
    return JSONResponse(page_object([batch_object(row) for row in rows], limit=limit))


def retrieve_batch(call: Call) -> Response:
    """Return a batch."""
    return JSONResponse(batch_object(batch_of(call)))


def cancel_batch(call: Call) -> Response:
    """Cancel a batch; raises Conflict for one that has ended otherwise, as OpenAI does."""
    row = batch_of(call)
    with call.store.write() as connection:
        ending.cancel(connection, row)
        row = api_batches.by_id(connection, row["id"])
    if (status := status_of(row)) in _TOO_LATE:
        raise Conflict(f"Cannot cancel a batch with status '{status}'.", code="batch_ended")
    return JSONResponse(batch_object(row))


def batch_of(call: Call) -> RowMapping:
    """Return the batch in the path; raises NotFound, also for another key's."""
    batch_id = call.path("batch_id")
    with call.store.read() as connection:
        row = api_batches.find(connection, call.key.id, batch_id)
    if row is None:
        raise NotFound("batch", batch_id)
    if row["known_at"] is None:
        with call.store.write() as connection:
            api_batches.note_known(connection, batch_id)
    return row


def _new_batch(body: Mapping[str, Any], idempotency_key: str | None) -> NewBatch:
    if idempotency_key is not None and not 0 < len(idempotency_key) <= _MAX_IDEMPOTENCY_KEY:
        raise ApiError(f"Idempotency-Key must have 1 to {_MAX_IDEMPOTENCY_KEY} characters")
    return NewBatch(
        input_file_id=field(body, "input_file_id", str),
        endpoint=field(body, "endpoint", str),
        completion_window=field(body, "completion_window", str),
        metadata=metadata_of(body),
        output_expires_after=_output_kept(body.get("output_expires_after")),
        idempotency_key=idempotency_key,
    )


def metadata_of(body: Mapping[str, Any]) -> dict[str, str]:
    """Return the pairs of texts of a body; raises ApiError for anything else."""
    value = body.get("metadata")
    if value is None:
        return {}
    if not isinstance(value, dict) or len(value) > _MAX_PAIRS:
        raise ApiError(f"metadata must be an object of at most {_MAX_PAIRS} pairs", param="metadata")
    for name, text in value.items():
        if not isinstance(text, str) or len(name) > _MAX_KEY or len(text) > _MAX_VALUE or "\0" in name + text:
            message = f"metadata: names have {_MAX_KEY} characters at most, values are texts of {_MAX_VALUE}"
            raise ApiError(message, param="metadata")
    return value


def _output_kept(value: object) -> int | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise ApiError("output_expires_after must be an object", param="output_expires_after")
    return kept_seconds(value.get("anchor"), value.get("seconds"), param="output_expires_after")
