"""Safe opening of a batch file, and its lines with a bounded length."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from router_core.regular_files import NotRegularFileError, decompressed, is_symbolic_link, open_regular_file
from tasks.formats.errors import FormatError, LineRejected
from tasks.formats.requests import InputLimits

_BOM = b"\xef\xbb\xbf"
_BUFFER_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class InputFile:
    """An open batch file; `reopen` opens it from its start again."""

    path: Path
    stream: BinaryIO
    limits: InputLimits
    reopen: Callable[[], AbstractContextManager[BinaryIO]]


class LongLine(LineRejected):
    """A line over the limit, which was discarded; `quotes` is the number of quotes that it held."""

    def __init__(self, limit: int, quotes: int) -> None:
        super().__init__("line_too_long", f"longer than {limit} bytes")
        self.quotes = quotes


@contextmanager
def open_input(path: Path) -> Iterator[BinaryIO]:
    """Open a regular file for reading, through gzip if its name ends in .gz; raises FormatError."""
    with _open_regular(path) as raw, decompressed(raw, path) as stream:
        yield stream


def numbered_lines(file: InputFile) -> Iterator[tuple[int, bytes | LineRejected]]:
    """Yield each line with its number, blank ones included; a line over the limit is discarded."""
    limits, readline = file.limits, file.stream.readline
    read_limit, number, size = limits.max_line_bytes + 1, 0, 0
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


def _open_regular(path: Path) -> BinaryIO:
    try:
        return open_regular_file(path, buffering=_BUFFER_BYTES)
    except NotRegularFileError:
        raise FormatError(path, "is not a regular file") from None
    except IsADirectoryError:
        raise FormatError(path, "is a folder") from None
    except ValueError:
        raise FormatError(path, "is no file name") from None
    except OSError as error:
        is_link = is_symbolic_link(error)
        reason = (
            "is a symbolic link; name the file itself" if is_link else f"cannot be opened: {error.strerror}"
        )
        raise FormatError(path, reason) from None


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
