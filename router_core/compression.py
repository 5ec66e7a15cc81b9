"""Compressed files: gzip, bz2, xz and Zstandard, by the name's suffix or by their first bytes."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import PurePath
from typing import IO, TYPE_CHECKING, Any, BinaryIO, cast

if TYPE_CHECKING:
    from typing_extensions import Buffer

_SUFFIXES = {".gz": "gzip", ".bz2": "bz2", ".xz": "xz", ".zst": "zstd"}
_FIRST_BYTES = {
    "gzip": b"\x1f\x8b\x08",
    "bz2": b"BZh",
    "xz": b"\xfd7zXZ\x00",
    "zstd": b"\x28\xb5\x2f\xfd",
}
#: what follows "BZh" and a digit: a text may begin with the first four characters
_BZ2_BLOCKS = (b"1AY&SY", b"\x17rE8P\x90")
_BUFFER_BYTES = 1 << 16
#: the memory that unpacking xz may take; its strongest preset needs 65 MiB
_XZ_BYTES = 256 << 20
#: the errors of a damaged compressed file, those of the disk among them
COMPRESSION_ERRORS = (OSError, EOFError, zlib.error, lzma.LZMAError)


def compression_of(name: PurePath | str) -> str | None:
    """Return the compression that a file's suffix names, None for any other suffix."""
    return _SUFFIXES.get(PurePath(name).suffix.lower())


def without_suffix(name: PurePath) -> PurePath:
    """Return the name without the suffix of its compression."""
    return name.with_suffix("") if compression_of(name) else name


def recognised(head: bytes) -> str | None:
    """Return the compression whose files begin like this, None if there is none."""
    found = next((name for name, start in _FIRST_BYTES.items() if head.startswith(start)), None)
    return None if found == "bz2" and not head[4:].startswith(_BZ2_BLOCKS) else found


@contextmanager
def decompressed(raw: BinaryIO, name: PurePath | str) -> Iterator[BinaryIO]:
    """Read an open file through what it is compressed with, or as it is.

    Args:
        raw: The file, buffered.
        name: Its name: its suffix decides, and without one its first bytes.
    """
    found = compression_of(name) or recognised(cast(io.BufferedReader, raw).peek(16)[:16])
    if found is None:
        yield raw
    else:
        with _READERS[found](raw) as stream:
            yield cast(BinaryIO, stream)


@contextmanager
def compressed(raw: BinaryIO, name: PurePath | str) -> Iterator[BinaryIO]:
    """Write to an open file through the compression that its name's suffix asks for, or as it is.

    The file itself stays open.
    """
    found = compression_of(name)
    if found is None:
        yield raw
    else:
        with _WRITERS[found](raw) as stream:
            yield cast(BinaryIO, stream)


class _XzReader(io.RawIOBase):
    """An xz file in bounded memory: the standard library's own reader takes as much as the file demands."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw, self._rest = raw, b""
        self._decompressor = _xz_decompressor()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while True:
            if self._decompressor.eof and not self._next_stream():
                return 0
            if self._decompressor.needs_input:
                self._rest = self._rest or self._raw.read(_BUFFER_BYTES)
                if not self._rest:
                    raise EOFError("the file ends before its stream")
            data = self._decompressor.decompress(self._rest, len(buffer))
            self._rest = b""
            if data:
                buffer[: len(data)] = data
                return len(data)

    def _next_stream(self) -> bool:
        """Go on with the stream that follows, after padding; returns whether there is one."""
        self._rest = self._decompressor.unused_data.lstrip(b"\0")
        while not self._rest and (more := self._raw.read(_BUFFER_BYTES)):
            self._rest = more.lstrip(b"\0")
        self._decompressor = _xz_decompressor()
        return bool(self._rest)


def _xz_decompressor() -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(memlimit=_XZ_BYTES)


def _xz_reader(raw: BinaryIO) -> IO[bytes]:
    return io.BufferedReader(_XzReader(raw), _BUFFER_BYTES)


def _zstd_reader(raw: BinaryIO) -> IO[bytes]:
    import pyarrow as pa

    stream = pa.CompressedInputStream(pa.PythonFile(raw, mode="r"), "zstd")
    return io.BufferedReader(stream, _BUFFER_BYTES)


def _zstd_writer(raw: BinaryIO) -> IO[bytes]:
    import pyarrow as pa

    # Closing the stream would close the file, which is flushed to the disk afterwards.
    return io.BufferedWriter(pa.CompressedOutputStream(pa.PythonFile(_Unclosed(raw), mode="w"), "zstd"))


class _Unclosed(io.RawIOBase):
    """A file that stays open when it is closed."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer, /) -> int:
        return self._raw.write(data)


_READERS: dict[str, Callable[[BinaryIO], IO[bytes]]] = {
    "gzip": lambda raw: cast(IO[bytes], gzip.GzipFile(fileobj=raw)),
    "bz2": lambda raw: cast(IO[bytes], bz2.BZ2File(raw)),
    "xz": _xz_reader,
    "zstd": _zstd_reader,
}
_WRITERS: dict[str, Callable[[BinaryIO], IO[bytes]]] = {
    # Without a time and a name: equal results are equal files.
    "gzip": lambda raw: cast(IO[bytes], gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0)),
    "bz2": lambda raw: cast(IO[bytes], bz2.BZ2File(raw, "wb")),
    "xz": lambda raw: cast(IO[bytes], lzma.LZMAFile(raw, "wb")),  # noqa: SIM115
    "zstd": _zstd_writer,
}
