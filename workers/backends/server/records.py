"""The lines of a batch's files as results, in the order of the input; they lie on the disk meanwhile."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator
from typing import Any

from tasks.formats.requests import InputError
from tasks.formats.results import ResultRecord
from tasks.store.ids import LINE_BITS
from tasks.store.results import line_of
from workers.errors import ServerError


def in_input_order(files: Iterable[Iterator[bytes]], endpoint: str) -> Iterator[ResultRecord]:
    """Yield the lines of files as results, by their place in the input, bad lines last.

    Memory holds the place of each line and one line.

    Raises:
        ServerError: A line is none of a result file; its text, which may hold an answer, is not shown.
    """
    with tempfile.TemporaryFile() as spool:
        places: list[tuple[bool, int, int]] = []
        for lines in files:
            for text in lines:
                if text:
                    record = _read(text, endpoint)
                    places.append((record.error_line is not None, record.line, spool.tell()))
                    spool.write(text + b"\n")
        places.sort()
        for _, _, offset in places:
            spool.seek(offset)
            yield _read(spool.readline(), endpoint)


def _read(text: bytes, endpoint: str) -> ResultRecord:
    try:
        line = json.loads(text)
    except ValueError:
        raise ServerError("the server sent a line of results that is no JSON") from None
    return record_of(line, endpoint)


def record_of(line: dict[str, Any], endpoint: str) -> ResultRecord:
    """Return the result in a line of an output or an error file (`tasks.formats.outputs.json_lines`)."""
    response, error = line.get("response"), line.get("error") or {}
    body: dict[str, Any] | None = None
    waybill, status = line.get("waybill") or {}, None
    if response is not None:
        status, body = response["status_code"], dict(response["body"])
        waybill = body.pop("waybill", waybill)
        if status >= 400:
            error, body = body.get("error") or error, None
    return ResultRecord(
        request_id=line["id"],
        custom_id=line["custom_id"],
        line=_line_of(line["id"]),
        status_code=status,
        body=body,
        error_code=error.get("code"),
        error_message=error.get("message"),
        error_line=error.get("line"),
        waybill=waybill,
        endpoint=endpoint,
    )


def record_of_error(error: InputError, endpoint: str) -> ResultRecord:
    """Return the result of a bad line that was not sent."""
    return ResultRecord(
        request_id="",
        custom_id=error.custom_id or f"line-{error.line}",
        line=error.line,
        status_code=None,
        body=None,
        error_code=error.code,
        error_message=error.reason,
        error_line=error.line,
        waybill={},
        endpoint=endpoint,
    )


def input_error_of(record: ResultRecord) -> InputError:
    """Return the bad line that a result stands for."""
    return InputError(record.line, record.error_code or "", record.error_message or "", record.custom_id)


def _line_of(request_id: str) -> int:
    """Return the line of the input in the id of a request: its lower bits."""
    number = line_of(request_id)
    if number is None:
        raise ServerError("the server sent a result without the id of a request")
    return number % (1 << LINE_BITS)
