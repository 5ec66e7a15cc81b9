"""JSON files: an array of objects, read element by element; any other file is read as JSON Lines."""

import codecs
import json
from collections.abc import Iterator

from tasks.formats.errors import FormatError, LineRejected
from tasks.formats.inputs.fields import line_fields
from tasks.formats.inputs.file import InputFile
from tasks.formats.inputs.json_rows import json_rows
from tasks.formats.inputs.options import Plan
from tasks.formats.inputs.rows import Rows

_CHUNK_BYTES = 1 << 16
_WHITE = " \t\r\n"
#: an element over the limit is skipped up to this many times the limit
_TIMES_TOO_LONG = 4


def json_file_rows(file: InputFile, plan: Plan) -> Rows:
    """Yield the fields of each element of an array, numbered from 1; raises FormatError where it breaks."""
    with file.reopen() as again:
        start = again.read(_CHUNK_BYTES).removeprefix(codecs.BOM_UTF8).lstrip()
    if not start.startswith(b"["):
        yield from json_rows(file, plan)
        return
    for number, value in enumerate(_elements(file), start=1):
        if number > file.limits.max_lines:
            raise FormatError(file.path, f"has more than {file.limits.max_lines} elements")
        yield number, value if isinstance(value, LineRejected) else line_fields(value, plan)


def _elements(file: InputFile) -> Iterator[object]:
    text = _Text(file)
    text.take("[")
    if text.next_character() == "]":
        return
    number = 0
    while True:
        number += 1
        yield text.value(number)
        if text.next_character() != ",":
            break
        text.take(",")
    if text.next_character() != "]":
        raise FormatError(file.path, f"element {number}: no comma or bracket follows; the rest was not read")


class _Text:
    """The text of the file, of which only the current element is held."""

    def __init__(self, file: InputFile) -> None:
        self._file = file
        self._decode = codecs.getincrementaldecoder("utf-8-sig")().decode
        self._decoder = json.JSONDecoder()
        self._buffer, self._at, self._size, self._ended = "", 0, 0, False

    def next_character(self) -> str:
        """Return the next character that is not white space, without taking it; empty at the end."""
        while True:
            while self._at < len(self._buffer) and self._buffer[self._at] in _WHITE:
                self._at += 1
            if self._at < len(self._buffer) or not self._read(_CHUNK_BYTES):
                return self._buffer[self._at : self._at + 1]

    def take(self, character: str) -> None:
        """Take the next character that is not white space, which must be this one."""
        assert self.next_character() == character
        self._at += 1

    def value(self, number: int) -> object:
        """Return the next element; raises FormatError if it is broken: what follows cannot be told then."""
        self.next_character()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._buffer, self._at)
            except RecursionError:
                raise self._broken(number, "nested too deeply to be read") from None
            except json.JSONDecodeError as error:
                problem = error.msg.removesuffix(" at")
            except ValueError:
                problem = "a number has too many digits"
            else:
                # A number at the end of the buffer may go on.
                if end < len(self._buffer) or self._ended:
                    return self._taken(value, end)
                problem = ""
            held = len(self._buffer) - self._at
            if held > _TIMES_TOO_LONG * self._file.limits.max_line_bytes:
                raise self._broken(number, "far too long, or its end is missing")
            if not self._read(max(held, _CHUNK_BYTES)) and problem:
                raise self._broken(number, problem)

    def _taken(self, value: object, end: int) -> object:
        is_long = end - self._at > self._file.limits.max_line_bytes
        self._at = end
        limit = self._file.limits.max_line_bytes
        return LineRejected("line_too_long", f"longer than {limit} characters") if is_long else value

    def _read(self, size: int) -> bool:
        """Read on, and forget what was taken; returns whether there was anything."""
        if self._ended:
            return False
        chunk = self._file.stream.read(size)
        self._size += len(chunk)
        if self._size > self._file.limits.max_file_bytes:
            raise FormatError(self._file.path, f"holds more than {self._file.limits.max_file_bytes} bytes")
        self._ended = not chunk
        try:
            self._buffer = self._buffer[self._at :] + self._decode(chunk, self._ended)
        except UnicodeDecodeError:
            raise FormatError(self._file.path, "is not UTF-8 throughout; --encoding names another") from None
        self._at = 0
        return bool(chunk)

    def _broken(self, number: int, problem: str) -> FormatError:
        return FormatError(
            self._file.path, f"element {number}: invalid JSON: {problem}; the rest was not read"
        )
