"""Safe opening of a batch file, and its lines with a bounded length."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from router_core.compression import compression_of, decompressed
from router_core.regular_files import NotRegularFileError, is_symbolic_link, open_regular_file, reason_of
from tasks.formats.errors import FormatError, LineRejected, UnreadableError
from tasks.formats.locations.location import Location, RemoteFile
from tasks.formats.locations.remote import open_remote
from tasks.formats.requests import InputLimits

_BOM = b"\xef\xbb\xbf"
_BUFFER_BYTES = 1 << 16
#: how often `on_lines` is told how far a file is read, in seconds, and how often the clock is looked at
TOLD_S = 10.0
LINES_PER_LOOK = 10_000


def untold(_lines: int) -> None:
    """Tell nobody how many lines are read."""


@dataclass(frozen=True, slots=True)
class InputFile:
    """An open batch file; `reopen` opens it from its start again, `on_lines` is told how far it is read."""

    path: Location
    stream: BinaryIO
    limits: InputLimits
    reopen: Callable[[], AbstractContextManager[BinaryIO]]
    on_lines: Callable[[int], None] = untold


class LongLine(LineRejected):
    """A line over the limit, which was discarded; `quotes` is the number of quotes that it held."""

    def __init__(self, limit: int, quotes: int) -> None:
        super().__init__("line_too_long", f"longer than {limit} bytes")
        self.quotes = quotes


@contextmanager
def open_input(
    location: Location, *, follow_links: bool = False, is_binary: bool = False
) -> Iterator[BinaryIO]:
    """Open a file for reading, through what it is compressed with; raises FormatError.

    Args:
        location: A regular file, or a URL.
        follow_links: Whether a symbolic link is followed.
        is_binary: The format has its own compression: a compressed file is refused, as it cannot be sought.
    """
    if is_binary and compression_of(location.name):
        raise FormatError(location, "is compressed inside: it is not read through another compression")
    opened: AbstractContextManager[BinaryIO] = (
        open_remote(location)
        if isinstance(location, RemoteFile)
        else _open_regular(location, follow_links=follow_links)
    )
    with opened as raw, nullcontext(raw) if is_binary else decompressed(raw, location.name) as stream:
        yield stream


def numbered_lines(file: InputFile) -> Iterator[tuple[int, bytes | LineRejected]]:
    """Yield each line with its number, blank ones included; a line over the limit is discarded."""
    limits, readline = file.limits, file.stream.readline
    read_limit, number, size = limits.max_line_bytes + 1, 0, 0
    told_at = time.monotonic()
    while line := readline(read_limit):
        number += 1
        size += len(line)
        is_cut = len(line) == read_limit and not line.endswith(b"\n")
        if number == 1:
            line = line.removeprefix(_BOM)
        if is_cut:
            skipped, quotes = _skip_to_line_end(file, size)
            size += skipped
            yield number, LongLine(limits.max_line_bytes, line.count(b'"') + quotes)
        else:
            yield number, line
        _check_size(file, number, size)
        if number % LINES_PER_LOOK == 0 and time.monotonic() - told_at >= TOLD_S:
            told_at = time.monotonic()
            file.on_lines(number)


def _open_regular(path: Path, *, follow_links: bool) -> BinaryIO:
    try:
        return open_regular_file(path, buffering=_BUFFER_BYTES, follow_links=follow_links)
    except NotRegularFileError:
        raise FormatError(path, "is not a regular file") from None
    except IsADirectoryError:
        raise FormatError(path, "is a folder") from None
    except ValueError:
        raise FormatError(path, "is no file name") from None
    except OSError as error:
        if is_symbolic_link(error) and not follow_links:
            reason = "is a symbolic link; name the file itself, or --follow-links"
            raise FormatError(path, reason) from None
        raise UnreadableError(path, f"cannot be opened: {reason_of(error)}") from None


def _skip_to_line_end(file: InputFile, size: int) -> tuple[int, int]:
    """Read up to the end of the current line and return the number of bytes and of quotes skipped."""
    skipped = quotes = 0
    while part := file.stream.readline(_BUFFER_BYTES):
        skipped += len(part)
        quotes += part.count(b'"')
        if part.endswith(b"\n"):
            break
        _check_size(file, 0, size + skipped)
    return skipped, quotes


def _check_size(file: InputFile, lines: int, size: int) -> None:
    if lines > file.limits.max_lines:
        raise FormatError(file.path, f"has more than {file.limits.max_lines} lines")
    if size > file.limits.max_file_bytes:
        raise FormatError(file.path, f"holds more than {file.limits.max_file_bytes} bytes")
