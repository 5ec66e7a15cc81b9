"""Multipart forms whose one file goes straight to the file storage: no part of it stays in memory."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from tasks.batch_api.errors import ApiError
from tasks.files.storage import Draft
from workers.api.errors.responses import TooLarge

#: how many bytes are written to the storage at a time
_BLOCK = 1 << 20
_MAX_FIELDS = 32
_MAX_FIELD_BYTES = 4_096
_MAX_NAME = 255


@dataclass(slots=True)
class Form:
    """The known fields of a form, and the file that was written to a draft."""

    draft: Draft
    fields: dict[str, str] = field(default_factory=dict)
    filename: str | None = None

    @property
    def has_file(self) -> bool:
        """Whether the form has the file."""
        return self.filename is not None


async def read_form(
    request: Request,
    *,
    file_field: str,
    max_bytes: int,
    open_draft: Callable[[], Draft],
    fields: Collection[str] = (),
) -> Form:
    """Read a form whose field `file_field` is a file, which goes to a draft that the caller finishes.

    Args:
        request: The request.
        file_field: The field with the file.
        max_bytes: The most bytes of the file.
        open_draft: Begins the draft.
        fields: The other fields that are read; unknown ones are passed over.

    Raises:
        ApiError: The body is no form, or has no file, too many fields or too large ones.
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        raise ApiError("the body is not multipart/form-data", code="invalid_content_type")
    max_body = max_bytes + _BLOCK
    if int(request.headers.get("content-length") or 0) > max_body:
        raise TooLarge(f"the file is larger than {max_bytes} bytes", param=file_field)
    form = Form(await run_in_threadpool(open_draft))
    try:
        await _read(request, options[b"boundary"], _Parts(form, file_field, max_bytes, fields), max_body)
        if not form.has_file:
            raise ApiError(f"{file_field} is missing", code="missing_required_parameter", param=file_field)
    except BaseException:
        form.draft.discard()
        raise
    return form


async def _read(request: Request, boundary: bytes, parts: _Parts, max_bytes: int) -> None:
    size = 0
    try:
        parser = MultipartParser(boundary, parts.callbacks())
        async for data in request.stream():
            size += len(data)
            if size > max_bytes:
                raise TooLarge(f"the form is larger than {max_bytes} bytes")
            parser.write(data)
            if len(parts.block) >= _BLOCK:
                await run_in_threadpool(parts.flush)
        await run_in_threadpool(parts.flush)
        parser.finalize()
    except FormParserError:
        raise ApiError("the form is malformed", code="invalid_form") from None
    if not parts.is_complete:
        raise ApiError("the form is not complete", code="invalid_form")


class _Parts:
    """What the parser calls for each piece of a form."""

    def __init__(self, form: Form, file_field: str, max_bytes: int, fields: Collection[str]) -> None:
        self._form, self._file_field, self._max, self._known = form, file_field, max_bytes, fields
        self._count = 0
        self._headers: dict[bytes, bytes] = {}
        self._header, self._value = bytearray(), bytearray()
        self._name, self._is_file, self._text = "", False, bytearray()
        self._size = 0
        #: bytes of the file that are not written yet
        self.block = bytearray()
        self.is_complete = False

    def callbacks(self) -> Any:
        """Return the callbacks of the parser."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self._header.extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
            "on_header_end": self._end_header,
            "on_headers_finished": self._open,
            "on_part_data": self._take,
            "on_part_end": self._end,
            "on_end": self._complete,
        }

    def flush(self) -> None:
        """Write what is waiting."""
        if self.block:
            block, self.block = bytes(self.block), bytearray()
            self._form.draft.write(block)

    def _begin(self) -> None:
        self._headers, self._text = {}, bytearray()

    def _end_header(self) -> None:
        self._headers[bytes(self._header).lower()] = bytes(self._value)
        self._header, self._value = bytearray(), bytearray()

    def _open(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        self._name = options.get(b"name", b"").decode("utf-8", "replace")
        self._is_file = self._name == self._file_field
        if self._name in self._form.fields or (self._is_file and self._form.has_file):
            raise ApiError(f"{self._name[:64]} is there twice", param=self._name[:64])
        if self._is_file:
            self._form.filename = plain_name(options.get(b"filename", b"").decode("utf-8", "replace"))
        self._count += 1
        if self._count > _MAX_FIELDS:
            raise ApiError("the form has too many fields", code="invalid_form")

    def _take(self, data: bytes, start: int, end: int) -> None:
        if self._is_file:
            self._size += end - start
            if self._size > self._max:
                raise TooLarge(f"the file is larger than {self._max} bytes", param=self._file_field)
            self.block += data[start:end]
        else:
            self._text += data[start:end]
            if len(self._text) > _MAX_FIELD_BYTES:
                raise TooLarge("a field of the form is too large", param=self._name[:64])

    def _end(self) -> None:
        if self._name in self._known:
            self._form.fields[self._name] = self._text.decode("utf-8", "replace")

    def _complete(self) -> None:
        self.is_complete = True


def plain_name(given: str) -> str:
    """Return a file's name without its path and without what cannot be printed."""
    name = PurePosixPath(given.replace("\\", "/")).name[:_MAX_NAME]
    return "".join(character for character in name if character.isprintable()) or "file"
