"""Results as JSON Lines: OpenAI's Batch output, or one flat object per line."""

from collections.abc import Callable
from typing import Any, TextIO

from tasks.formats.results import ResultRecord
from tasks.json_values import to_json


class JsonLines:
    """A sink that writes each record as one JSON object; `to_object` builds the object."""

    def __init__(self, stream: TextIO, to_object: Callable[[ResultRecord], dict[str, Any]]) -> None:
        self._stream = stream
        self._to_object = to_object

    def write(self, record: ResultRecord) -> None:
        """Write one line."""
        self._stream.write(to_json(self._to_object(record)) + "\n")

    def finish(self) -> None:
        """Flush every line to the file."""
        self._stream.flush()


def openai_line(record: ResultRecord) -> dict[str, Any]:
    """Return the line of an OpenAI Batch output or error file (openai-openapi, BatchRequestOutput).

    `response` holds every HTTP response, errors included. `error` is for requests without a response, and for
    those whose answer does not fit what they demand: they have both.
    """
    response = _response(record) if record.has_response or record.has_invalid_answer else None
    line = {
        "id": record.request_id,
        "custom_id": record.custom_id,
        "response": response,
        "error": None if record.has_response else _error(record),
    }
    # Without a response, there is no body to hold it; an input error was never a request, and cost nothing.
    is_call = response is None and record.error_line is None
    return {**line, "waybill": record.waybill} if is_call else line


def _response(record: ResultRecord) -> dict[str, Any]:
    body = record.body
    if body is None:
        body = {"error": _named(record)} if record.failed else {}
    return {
        "status_code": record.status_code,
        "request_id": record.request_id,
        "body": {**body, "waybill": record.waybill},
    }


def _error(record: ResultRecord) -> dict[str, Any]:
    error = _named(record)
    return error if record.error_line is None else {**error, "line": record.error_line}


def _named(record: ResultRecord) -> dict[str, Any]:
    """Return an error in OpenAI's shape, with the type and the parameter that the provider named."""
    said = {name: text for name, text in record.provider_error.items() if name != "code"}
    return {"code": record.error_code, "message": record.error_message, **said}
