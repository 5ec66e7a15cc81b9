"""`/v1/uploads`: a file in parts."""

from __future__ import annotations

from typing import Any

from sqlalchemy import RowMapping
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from tasks.batch_api import uploads as logic
from tasks.batch_api.errors import ApiError, Conflict
from tasks.files.storage import new_name
from tasks.store.api import files, uploads
from workers.api.context import Call
from workers.api.door.json_body import field, json_body
from workers.api.errors.responses import TooLarge
from workers.api.files.handlers import checked_purpose, kept_seconds
from workers.api.files.multipart import Form, plain_name, read_form
from workers.api.files.objects import file_object, seconds
from workers.api.files.quota import take_room

#: OpenAI's limit of a part
_MAX_PART_BYTES = 64 << 20
_KEPT_S = 2_592_000
_MAX_PARTS = 10_000
_MAX_TYPE = 255


async def create_upload(call: Call) -> Response:
    """Begin an upload."""
    body = await json_body(call.request)
    size, most = field(body, "bytes", int), int(call.context.settings.api.max_upload_mb * 2**20)
    if size < 1:
        raise ApiError("bytes must be at least 1", param="bytes")
    if size > most:
        raise TooLarge(f"bytes must be at most {most}", param="bytes")
    values = {
        "bytes": size,
        "filename": plain_name(field(body, "filename", str)),
        "mime_type": field(body, "mime_type", str)[:_MAX_TYPE],
        "purpose": checked_purpose(body.get("purpose")),
        "expires_after": _kept(body.get("expires_after")),
    }
    return JSONResponse(await run_in_threadpool(_create, call, values))


async def add_part(call: Call) -> Response:
    """Store a part."""
    row = await run_in_threadpool(logic.pending, call.store, call.key.id, call.path("upload_id"))
    storage = call.context.storage
    name = new_name()
    form = await read_form(
        call.request, file_field="data", max_bytes=_MAX_PART_BYTES, open_draft=lambda: storage.draft(name)
    )
    return await run_in_threadpool(_keep_part, call, row, form, name)


async def complete_upload(call: Call) -> Response:
    """Make the file of the parts."""
    body = await json_body(call.request)
    part_ids = field(body, "part_ids", list)
    if len(part_ids) > _MAX_PARTS or not all(isinstance(one, str) for one in part_ids):
        raise ApiError("part_ids must be a list of ids", param="part_ids")
    md5 = field(body, "md5", str, "") or None
    return await run_in_threadpool(_complete, call, part_ids, md5)


def cancel_upload(call: Call) -> Response:
    """Cancel an upload."""
    row = logic.pending(call.store, call.key.id, call.path("upload_id"))
    with call.store.write() as connection:
        uploads.cancel(connection, row["id"])
    return JSONResponse(_object(call, logic.find(call.store, call.key.id, row["id"])))


def _create(call: Call, values: dict[str, Any]) -> dict[str, Any]:
    with call.store.write() as connection:
        take_room(connection, call, values["bytes"], param="bytes")
        row = uploads.create(connection, owner=call.key.id, **values)
    return _object(call, row)


def _keep_part(call: Call, row: RowMapping, form: Form, name: str) -> Response:
    try:
        if not form.draft.size:
            raise ApiError("the part is empty", code="empty_file", param="data")
        form.draft.finish()
    finally:
        form.draft.discard()
    try:
        part = _add_part(call, row, form.draft.size, name)
    except ApiError:
        call.context.storage.delete(name)
        raise
    created = seconds(part["created_at"])
    return JSONResponse(
        {"id": part["id"], "object": "upload.part", "created_at": created, "upload_id": row["id"]}
    )


def _add_part(call: Call, row: RowMapping, size: int, name: str) -> RowMapping:
    with call.store.write() as connection:
        part = uploads.add_part(connection, row["id"], stored_as=name, size=size)
        if part is None:
            raise Conflict("the upload is not pending any more", code="upload_not_pending")
        # After the part was added, which locks the upload: parts that come at once are counted one by one.
        count, total = uploads.count_parts(connection, row["id"])
        if total > row["bytes"] or count > _MAX_PARTS:
            message = f"the upload has {row['bytes']} bytes, and takes {_MAX_PARTS} parts"
            raise TooLarge(message, param="data")
    return part


def _complete(call: Call, part_ids: list[str], md5: str | None) -> Response:
    context, upload_id = call.context, call.path("upload_id")
    row = logic.complete(context.store, context.storage, call.key.id, upload_id, part_ids, md5)
    return JSONResponse(_object(call, row))


def _object(call: Call, row: RowMapping) -> dict[str, Any]:
    with call.store.read() as connection:
        file = files.find(connection, call.key.id, row["file_id"]) if row["file_id"] else None
    return {
        "id": row["id"],
        "object": "upload",
        "bytes": row["bytes"],
        "created_at": seconds(row["created_at"]),
        "expires_at": seconds(row["expires_at"]),
        "filename": row["filename"],
        "purpose": row["purpose"],
        "status": row["status"],
        "file": None if file is None else file_object(file),
    }


def _kept(value: object) -> int:
    if value is None:
        return _KEPT_S
    if not isinstance(value, dict):
        raise ApiError("expires_after must be an object", param="expires_after")
    return kept_seconds(value.get("anchor"), value.get("seconds"))
