"""The lines of a batch's file, and what is wrong with them, in the words of the API."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from tasks.formats.errors import FormatError, UnreadableError
from tasks.formats.requests import InputError, ParsedRequest
from tasks.submission.source import Item

Error = dict[str, Any]
_HINT = re.compile(r"(?:; | \()[^;(]*--[a-z].*", re.DOTALL)


class StorageFails(Exception):
    """A file that cannot be read now, through no fault of its owner."""


class InvalidFile(Exception):
    """A batch that fails, with its errors."""

    def __init__(self, *errors: Error) -> None:
        super().__init__("the batch is not valid")
        self.errors = list(errors)


def read_through(lines: Iterable[Item]) -> None:
    """Read a file to its end, before any request is stored; raises InvalidFile where it breaks off."""
    for _ in lines:
        pass


def readable(lines: Iterable[Item]) -> Iterator[Item]:
    """Yield the lines; raises StorageFails or InvalidFile where they cannot be read."""
    try:
        yield from lines
    except UnreadableError:
        raise StorageFails from None
    except FormatError as error:
        raise InvalidFile(of_file(error.reason)) from None


def of_endpoint(lines: Iterable[Item], endpoint: str) -> Iterator[Item]:
    """Yield the lines; one for another endpoint than the batch's is a bad one."""
    for item in lines:
        if isinstance(item, InputError):
            item = replace(item, reason=_for_client(item.reason))
        if isinstance(item, ParsedRequest) and item.endpoint != endpoint:
            yield InputError(item.line, "url_mismatch", f"url is not the batch's {endpoint}", item.custom_id)
        else:
            yield item


def of_file(reason: str) -> Error:
    """Return what is wrong with a file as a whole."""
    return error_of("invalid_file", _for_client(reason), param="input_file_id")


def _for_client(reason: str) -> str:
    """Return a reason without the options of the command that would help: a client has none."""
    return _HINT.sub("", reason)


def error_of(code: str, message: str, *, line: int | None = None, param: str | None = None) -> Error:
    """Return an error of a batch, as its object shows it."""
    return {"code": code, "line": line, "message": message, "param": param}
