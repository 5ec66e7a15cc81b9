"""What the body of an error says, in the shapes of the known servers.

The message stays in memory, for `error_patterns`: providers quote prompts and keys in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tasks.providers.errors import safe_code, safe_param, safe_type

#: where servers put a code, the most specific first
_CODES = (
    "code",
    "error_code",
    "errorCode",
    "type",
    "error_type",
    "errorType",
    "__type",
    "status",
    "reason",
    "status_code",
)
#: where servers put the type of an error
_TYPES = ("type", "error_type", "errorType", "__type", "status")
_MESSAGES = ("message", "Message", "msg", "detail", "error_message", "title")
#: where a server puts the error of the one behind it, or the details of its own
_NESTED = (
    "innererror", "inner_error", "metadata", "details", "detail", "errors", "raw", "error", "base_resp",
    "external_model_error", "message",
)  # fmt: skip
_STATUSES = ("code", "status_code", "statusCode", "status", "http_status", "httpStatusCode")
_MAX_DEPTH = 6
#: Gemini's wait, in its `RetryInfo`
_DELAY = re.compile(r"(\d{1,6}(?:\.\d{1,9})?)s")
_WORD = re.compile(r"[\w.#:-]{1,100}")


@dataclass(frozen=True, slots=True)
class ErrorDetails:
    """What a server said about a failure.

    Attributes:
        status: The HTTP status that the body names.
        codes: Codes and types, the most specific first, as `plain` writes them.
        shown_code: The code, if it is safe to show.
        shown_type: The type, if it is safe to show.
        shown_param: The parameter that is objected to, if it is safe to show.
        messages: Texts for people, the outermost first.
        retry_after: The seconds to wait, as text.
    """

    status: int | None = None
    codes: tuple[str, ...] = ()
    shown_code: str | None = None
    shown_type: str | None = None
    shown_param: str | None = None
    messages: tuple[str, ...] = ()
    retry_after: str | None = None

    def with_code(self, code: str) -> ErrorDetails:
        """Return the details with one more code, the most specific one."""
        return replace(self, codes=(plain(code), *self.codes))


def plain(code: str) -> str:
    """Return a code without capitals and punctuation: `NotFound` and `not_found` are the same."""
    return "".join(filter(str.isalnum, code)).lower()


def details_of(body: Mapping[str, Any]) -> ErrorDetails:
    """Return what the body of an error says; `error` may be an object, a text or the body itself."""
    found = list(_objects(body, _MAX_DEPTH))
    named = body.get("error")
    main = named if isinstance(named, dict) else body
    return ErrorDetails(
        status=next((number for one in found for number in _statuses(one)), None),
        codes=tuple(dict.fromkeys(code for one in found for code in _codes_in(one))),
        shown_code=safe_code(main.get("code")),
        shown_type=next((text for name in _TYPES if (text := safe_type(main.get(name)))), None),
        shown_param=safe_param(main.get("param")),
        messages=tuple(dict.fromkeys(text for one in found for text in _messages_in(one))),
        retry_after=next((delay for one in found for delay in _delays_in(one)), None),
    )


def _objects(value: object, depth: int) -> Iterator[Mapping[str, Any]]:
    """Yield the objects that describe the error, the body's `error` before the body."""
    if isinstance(value, str) and value.lstrip().startswith(("{", "[")):
        value = _loaded(value)
    if isinstance(value, list):
        for item in value[:10] if depth else ():
            yield from _objects(item, depth - 1)
    if not isinstance(value, dict) or not depth:
        return
    if isinstance(value.get("error"), dict):
        yield from _objects(value["error"], depth - 1)
    yield value
    for name in _NESTED:
        if name != "error" and name in value:
            yield from _objects(value[name], depth - 1)


def _loaded(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _statuses(fields: Mapping[str, Any]) -> Iterator[int]:
    for name in _STATUSES:
        value = fields.get(name)
        number = int(value) if isinstance(value, str) and re.fullmatch(r"\d{3}", value, re.ASCII) else value
        if type(number) is int and 300 <= number <= 599:
            yield number


def _codes_in(fields: Mapping[str, Any]) -> Iterator[str]:
    for name in (*_CODES, "error"):
        value = fields.get(name)
        text = str(value) if type(value) is int else value
        if isinstance(text, str) and _WORD.fullmatch(text):
            yield plain(text.rpartition("#")[2].partition(":")[0])


def _messages_in(fields: Mapping[str, Any]) -> Iterator[str]:
    for name in (*_MESSAGES, "error", "raw"):
        value = fields.get(name)
        if isinstance(value, str) and value:
            yield value


def _delays_in(fields: Mapping[str, Any]) -> Iterator[str]:
    for name in ("retryDelay", "retry_after", "retryAfter", "retry_after_seconds"):
        value = fields.get(name)
        if isinstance(value, str) and (match := _DELAY.fullmatch(value)):
            yield match[1]
        elif type(value) in (int, float):
            yield str(value)
