"""The lines of a submission as a file of the server: OpenAI Batch lines, numbered as the input is."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Final

from tasks.errors import UsageError
from tasks.formats.requests import InputError, ParsedRequest
from tasks.submission.source import Item
from workers.backends.interface import OnError
from workers.backends.server.connection import Connection

#: the size from which a file goes in parts, and that of a part
_WHOLE_BYTES: Final = 256 << 20
_PART_BYTES: Final = 32 << 20
_NAME: Final = "python.jsonl"


@dataclass(frozen=True, slots=True)
class LinesFile:
    """A file of lines: its size, the endpoint that all of them are for, and the bad lines left out."""

    stream: IO[bytes]
    size: int
    endpoint: str | None
    errors: list[InputError]


@contextmanager
def written(items: Iterable[Item], on_error: OnError) -> Iterator[LinesFile]:
    """Write the lines to a file that is gone at the end of the block; `on_error` gets the bad ones.

    A bad line, and what the input has between two lines, becomes an empty line: the server then counts
    lines as the input does.

    Raises:
        UsageError: The lines are for different endpoints.
    """
    with tempfile.TemporaryFile() as stream:
        endpoint, errors, line = None, list[InputError](), 0
        for item in items:
            if isinstance(item, InputError):
                errors.append(item)
                on_error(item)
                continue
            endpoint = endpoint or item.endpoint
            if item.endpoint != endpoint:
                raise UsageError(
                    f"lines for {endpoint} and for {item.endpoint}: a batch of a server has one endpoint"
                )
            stream.write(b"\n" * (item.line - line - 1) + _line(item))
            line = item.line
        size = stream.tell()
        stream.seek(0)
        yield LinesFile(stream, size, endpoint, errors)


def _line(item: ParsedRequest) -> bytes:
    body = {"model": item.model or "auto", **json.loads(item.body)}
    line = {"custom_id": item.custom_id, "method": "POST", "url": item.endpoint, "body": body}
    return json.dumps(line, separators=(",", ":")).encode() + b"\n"


def upload(connection: Connection, file: LinesFile) -> str:
    """Upload a file, a large one in parts, and return its id."""
    if file.size > _WHOLE_BYTES:
        return _in_parts(connection, file)
    # Not repeated by itself: the stream would have to be read again.
    answer = connection.post(
        "/files", data={"purpose": "batch"}, files={"file": (_NAME, file.stream)}, repeats=False
    )
    return str(answer["id"])


def _in_parts(connection: Connection, file: LinesFile) -> str:
    wanted = {"filename": _NAME, "purpose": "batch", "bytes": file.size, "mime_type": "application/jsonl"}
    path = f"/uploads/{connection.post('/uploads', json=wanted)['id']}"
    parts = []
    while data := file.stream.read(_PART_BYTES):
        parts.append(connection.post(f"{path}/parts", files={"data": ("part", data)})["id"])
    return str(connection.post(f"{path}/complete", json={"part_ids": parts})["file"]["id"])
