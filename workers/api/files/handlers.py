"""`/v1/files`: upload, list, retrieve and delete."""

from __future__ import annotations

from typing import Any

from sqlalchemy import RowMapping
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from tasks.batch_api.errors import ApiError, Conflict, NotFound
from tasks.batch_api.output import file_of, known_size
from tasks.files.storage import new_name
from tasks.store.api import batches as api_batches
from tasks.store.api import files
from workers.api.context import Call
from workers.api.files.multipart import Form, read_form
from workers.api.files.objects import file_object, running_file_object
from workers.api.files.quota import refuse_announced, take_room
from workers.api.pages.page import limit_of, page_object

#: what a file may be for; other purposes of OpenAI's API have no use here
PURPOSES = ("batch",)
_MAX_PAGE = 10_000
_MIN_KEPT_S, _MAX_KEPT_S = 3_600, 2_592_000
_ANCHOR, _SECONDS = "expires_after[anchor]", "expires_after[seconds]"


async def create_file(call: Call) -> Response:
    """Store an uploaded file."""
    await run_in_threadpool(refuse_announced, call, param="file")
    storage = call.context.storage
    name = new_name()
    form = await read_form(
        call.request,
        file_field="file",
        max_bytes=int(call.context.settings.api.max_file_mb * 2**20),
        open_draft=lambda: storage.draft(name),
        fields=("purpose", _ANCHOR, _SECONDS),
    )
    return JSONResponse(file_object(await run_in_threadpool(keep_file, call, form, name)))


def keep_file(call: Call, form: Form, name: str) -> RowMapping:
    """Finish an uploaded file under its name in the storage, and return its row; raises ApiError."""
    storage = call.context.storage
    try:
        purpose = checked_purpose(form.fields.get("purpose"))
        kept_s = _kept(form.fields)
        if not form.draft.size:
            raise ApiError("the file is empty", code="empty_file", param="file")
        digest = form.draft.finish()
    finally:
        form.draft.discard()
    values = {"purpose": purpose, "filename": form.filename, "bytes": form.draft.size, "sha256": digest}
    try:
        with call.store.write() as connection:
            take_room(connection, call, form.draft.size, param="file")
            row = files.create(connection, owner=call.key.id, stored_as=name, expires_after=kept_s, **values)
    except ApiError:
        storage.delete(name)
        raise
    return row


def list_files(call: Call) -> Response:
    """Return a page of the key's files, the newest first."""
    query = call.request.query_params
    limit = limit_of(call.request, default=_MAX_PAGE, most=_MAX_PAGE)
    with call.store.read() as connection:
        rows = files.page(
            connection,
            call.key.id,
            after=query.get("after"),
            limit=limit + 1,
            newest_first=_is_descending(query.get("order", "desc")),
            purpose=query.get("purpose"),
        )
    if rows is None:
        raise NotFound("file", query.get("after", ""), param="after")
    return JSONResponse(page_object([file_object(row) for row in rows], limit=limit))


def retrieve_file(call: Call) -> Response:
    """Return a file."""
    file_id = call.path("file_id")
    with call.store.read() as connection:
        row = files.find(connection, call.key.id, file_id)
        of_batch = None if row else api_batches.of_file(connection, call.key.id, file_id)
    if row is not None:
        return JSONResponse(file_object(row))
    if of_batch is not None and of_batch["state"] != api_batches.ENDED:
        file = file_of(of_batch, file_id)
        if file.has_lines:
            return JSONResponse(running_file_object(file, known_size(call.store, file)))
    raise NotFound("file", file_id)


def delete_file(call: Call) -> Response:
    """Delete a file; one that a batch still reads is kept."""
    file_id = call.path("file_id")
    with call.store.write() as connection:
        if files.is_being_read(connection, call.key.id, file_id):
            raise Conflict("a batch is being made of the file", code="file_in_use", param="file_id")
        row = files.delete(connection, call.key.id, file_id)
    if row is None:
        raise NotFound("file", file_id)
    if row["stored_as"] is not None:
        call.context.storage.delete(row["stored_as"])
        with call.store.write() as connection:
            files.forget_bytes(connection, [file_id])
    return JSONResponse({"id": file_id, "object": "file", "deleted": True})


def checked_purpose(purpose: object) -> str:
    """Return the purpose of a file; raises ApiError for one that has no use here."""
    if purpose not in PURPOSES:
        raise ApiError("purpose must be 'batch'", code="invalid_purpose", param="purpose")
    return str(purpose)


def kept_seconds(anchor: object, seconds: object, *, param: str = "expires_after") -> int:
    """Return the seconds that a file is kept; raises ApiError."""
    text = str(seconds)
    is_whole = not isinstance(seconds, bool) and text.isascii() and text.isdecimal() and len(text) < 9
    if anchor != "created_at" or not is_whole or not _MIN_KEPT_S <= int(text) <= _MAX_KEPT_S:
        message = f"{param} must have the anchor 'created_at' and {_MIN_KEPT_S} to {_MAX_KEPT_S} seconds"
        raise ApiError(message, param=param)
    return int(text)


def _kept(fields: dict[str, str]) -> int:
    anchor, seconds = fields.get(_ANCHOR), fields.get(_SECONDS)
    if anchor is None and seconds is None:
        return _MAX_KEPT_S
    return kept_seconds(anchor, seconds)


def _is_descending(order: Any) -> bool:
    if order not in ("asc", "desc"):
        raise ApiError("order must be 'asc' or 'desc'", param="order")
    return bool(order == "desc")
