"""`GET /v1/files/{id}/content`: uploaded files, and those of batches, also while they run."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from sqlalchemy import RowMapping
from starlette.responses import JSONResponse, Response, StreamingResponse

from tasks.batch_api.errors import ApiError, NotFound
from tasks.batch_api.output import OutputFile, Piece, file_of, pieces, place_after
from tasks.store.api import batches as api_batches
from tasks.store.api import files
from tasks.store.engine import Store
from workers.api.context import Call
from workers.api.errors.responses import error_body
from workers.api.files.ranges import range_of

_TYPE = "application/jsonl"
#: the most bytes of a range of a file whose end is not known: whoever wants more asks again
_OPEN_RANGE_BYTES = 8 << 20


def file_content(call: Call) -> Response:
    """Return the bytes of a file, or those of a range."""
    file_id = call.path("file_id")
    with call.store.read() as connection:
        row = files.find(connection, call.key.id, file_id)
        of_batch = None if row and row["stored_as"] else api_batches.of_file(connection, call.key.id, file_id)
    if of_batch is not None and (row is not None or of_batch["state"] != api_batches.ENDED):
        return _output(call, file_of(of_batch, file_id))
    if row is None or row["stored_as"] is None:
        raise NotFound("file", file_id)
    if "after" in call.request.query_params:
        raise _after_refused()
    return _uploaded(call, row)


def _uploaded(call: Call, row: RowMapping) -> Response:
    size, name, storage = row["bytes"], row["stored_as"], call.context.storage
    wanted = range_of(call.request.headers.get("range"))
    first, last = wanted or (0, None)
    if wanted and first >= size:
        return _not_satisfiable(size)
    end = size if last is None else min(last + 1, size)
    headers = {"content-length": str(end - first), "accept-ranges": "bytes"}
    if wanted:
        headers["content-range"] = f"bytes {first}-{end - 1}/{size}"
    parts = _begun(storage.pieces(name, first, end))
    return StreamingResponse(parts, 206 if wanted else 200, headers, _TYPE)


def _begun(parts: Iterator[bytes]) -> Iterator[bytes]:
    """Return the parts, the first one read: what fails at once is an error, no response that breaks off."""
    first = next(parts, b"")
    return chain([first], parts)


def _output(call: Call, file: OutputFile) -> Response:
    if not file.has_lines or file.row["run_data_deleted_at"] is not None:
        raise NotFound("file", file.id)
    after = call.request.query_params.get("after")
    if after is not None:
        return _streamed(pieces(call.store, file, after=_place(call.store, file, after)))
    wanted = range_of(call.request.headers.get("range"))
    if wanted is not None:
        return _range(call.store, file, *wanted)
    return _streamed(pieces(call.store, file), size=file.size)


def _place(store: Store, file: OutputFile, line_id: str) -> int:
    place = place_after(store, file, line_id)
    if place is None:
        raise _after_refused()
    return place


def _after_refused() -> ApiError:
    return ApiError("after must be the id of a line of a batch's files", param="after")


def _streamed(parts: Iterator[Piece], *, size: int | None = None) -> Response:
    headers = {"accept-ranges": "bytes"}
    if size is not None:
        headers["content-length"] = str(size)
    data = (piece.data for piece in parts)
    return StreamingResponse(_begun(data), media_type=_TYPE, headers=headers)


def _range(store: Store, file: OutputFile, first: int, last: int | None) -> Response:
    """Return a range; of a file that still grows whole lines, as far as it goes now."""
    size = file.size
    if size is None:
        return _open_range(store, file, first, last)
    if first >= size:
        return _not_satisfiable(size)
    end = size if last is None else min(last + 1, size)
    headers = {"content-range": f"bytes {first}-{end - 1}/{size}", "content-length": str(end - first)}
    return StreamingResponse(_begun(_cut(store, file, first, end)), 206, headers, _TYPE)


def _open_range(store: Store, file: OutputFile, first: int, last: int | None) -> Response:
    end = first + _OPEN_RANGE_BYTES if last is None else min(last + 1, first + _OPEN_RANGE_BYTES)
    data = b"".join(_cut(store, file, first, end))
    if len(data) == _OPEN_RANGE_BYTES:
        data = data[: data.rfind(b"\n") + 1] or data
    if not data:
        return _not_satisfiable(None)
    headers = {"content-range": f"bytes {first}-{first + len(data) - 1}/*"}
    return Response(data, 206, headers, _TYPE)


def _cut(store: Store, file: OutputFile, first: int, end: int) -> Iterator[bytes]:
    """Yield the bytes from `first` up to `end`, as far as the file goes."""
    for piece in pieces(store, file, from_byte=first):
        data = piece.data
        if piece.offset >= end:
            return
        yield data[max(first - piece.offset, 0) : end - piece.offset]
        if piece.offset + len(data) >= end:
            return


def _not_satisfiable(size: int | None) -> Response:
    shown = "*" if size is None else size
    body = error_body("the range begins after the end", type="invalid_request_error", code="invalid_range")
    return JSONResponse(body, 416, {"content-range": f"bytes */{shown}"})
