"""`POST /v1/estimates`: the dry run of an uploaded file, with the options that its batch would have."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from tasks.batch_api.errors import ApiError, NotFound
from tasks.endpoints.registry import ENDPOINTS
from tasks.store.api import files
from workers.api.batches.handlers import metadata_of
from workers.api.child import ask
from workers.api.context import Call
from workers.api.door.json_body import field, json_body
from workers.api.errors.responses import failed


async def create_estimate(call: Call) -> Response:
    """Return what a file would cost as a batch; nothing is called, and no batch is made."""
    body = await json_body(call.request)
    file_id, endpoint = field(body, "input_file_id", str), field(body, "endpoint", str)
    metadata = metadata_of(body)
    if endpoint not in ENDPOINTS:
        raise ApiError(f"endpoint must be one of {', '.join(ENDPOINTS)}", param="endpoint")
    await run_in_threadpool(_refuse_missing, call, file_id)
    asked = {"key_id": call.key.id, "file_id": file_id, "endpoint": endpoint, "metadata": metadata}
    turn = call.context.loading.of(call.key.id)
    found = await ask(call.request, "workers.api.estimates.estimator", asked, turn=turn)
    if "status" in found:
        return failed(found["status"], found["error"])
    if "error" in found:
        raise ApiError(found["error"])
    return JSONResponse({"object": "estimate", **found})


def _refuse_missing(call: Call, file_id: str) -> None:
    """Raise NotFound for a file that the key does not have."""
    with call.store.read() as connection:
        row = files.find(connection, call.key.id, file_id)
    if row is None or row["stored_as"] is None:
        raise NotFound("file", file_id, param="input_file_id")
