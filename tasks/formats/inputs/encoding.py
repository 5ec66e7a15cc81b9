"""The encoding of a text file: UTF-8, that of its byte order mark, or the one that the options name.

Nothing is guessed: a wrong guess would send garbled prompts. A file without a mark whose beginning is not
UTF-8 at all is refused once, and the error names the encoding that charset-normalizer takes it for.
"""

from __future__ import annotations

import codecs
import io
from typing import BinaryIO, cast

from tasks.formats.errors import FormatError, OptionsError
from tasks.formats.locations.location import Location

SAMPLE_BYTES = 1 << 16
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_UTF_8 = ("utf-8", "utf-8-sig", "ascii")


def checked_encoding(name: str) -> str:
    """Return the codec's own name of an encoding; raises OptionsError for an unknown one."""
    try:
        codec = codecs.lookup(name)
        if not codec._is_text_encoding:  # the built-in open checks the same
            raise LookupError
    except LookupError:
        raise OptionsError(f"{name!r} is no encoding that Python knows") from None
    return codec.name


def utf8_stream(path: Location, stream: BinaryIO, encoding: str | None, *, strict: bool) -> BinaryIO:
    """Return the stream as UTF-8.

    Args:
        path: The file's name, for errors.
        stream: Its bytes, decompressed; a stream that can be peeked into.
        encoding: Its encoding; None to find it.
        strict: Whether to refuse a file whose beginning is not UTF-8; else its lines are refused one by one.

    Raises:
        FormatError: The beginning is neither UTF-8 nor marked as anything else.
    """
    if encoding is None:
        sample = cast(io.BufferedReader, stream).peek(SAMPLE_BYTES)
        encoding = next((name for mark, name in _MARKS if sample.startswith(mark)), None)
        if encoding is None and strict and not _may_be_utf8(sample):
            raise FormatError(path, f"is not UTF-8; {_guess(sample)}")
    if encoding is None or encoding in _UTF_8:
        return stream
    return cast(BinaryIO, io.BufferedReader(_Transcoded(path, stream, encoding), SAMPLE_BYTES))


def _may_be_utf8(sample: bytes) -> bool:
    """Return whether the sample is UTF-8, damaged here and there at most."""
    if _utf16_without_mark(sample):
        return False
    if sample.isascii():
        return True
    # A character at the sample's end may be cut. Some bytes of an East Asian encoding are UTF-8, too.
    text = sample.decode(errors="replace")
    damaged = text.count("\ufffd")
    return sum("\x7f" < character != "\ufffd" for character in text) >= max(damaged, 1)


def _utf16_without_mark(sample: bytes) -> str | None:
    """Return the encoding of a sample in which every other byte is mostly zero, None for any other."""
    even, odd = sample[0:256:2], sample[1:256:2]
    zeros = even.count(0), odd.count(0)
    if len(sample) >= 8 and 2 * max(zeros) > len(odd) and 8 * min(zeros) < len(odd):
        return "utf-16-be" if zeros[0] > zeros[1] else "utf-16-le"
    return None


def _guess(sample: bytes) -> str:
    from charset_normalizer import from_bytes

    utf16 = _utf16_without_mark(sample)
    if utf16:
        return f"it looks like --encoding {utf16}"
    best = from_bytes(sample[:8192]).best()
    likely = ["cp1252"] if best is None else [best.encoding, *best.could_be_from_charset]
    # Western Windows, which Excel writes, wherever nothing speaks against it.
    name = "cp1252" if {"cp1252", "latin_1"} & set(likely) else likely[0]
    return f"it may be {name}: name its encoding, as in --encoding {name}"


class _Transcoded(io.RawIOBase):
    """A stream of another encoding as UTF-8; a character that does not exist in it ends the reading."""

    def __init__(self, path: Location, stream: BinaryIO, encoding: str) -> None:
        self._path, self._stream, self._encoding = path, stream, encoding
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._ready = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        while not self._ready and (chunk := self._stream.read(SAMPLE_BYTES)):
            self._ready = self._decoded(chunk, final=False)
        self._ready = self._ready or self._decoded(b"", final=True)
        count = min(len(buffer), len(self._ready))
        buffer[:count], self._ready = self._ready[:count], self._ready[count:]
        return count

    def _decoded(self, chunk: bytes, *, final: bool) -> bytes:
        try:
            return self._decoder.decode(chunk, final).encode("utf-8", "surrogatepass")
        except UnicodeError:
            raise FormatError(self._path, f"is not {self._encoding} throughout") from None
