"""Opening a batch file safely, and cutting it into lines of bounded length."""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from router_core.regular_files import NotRegularFileError, is_symbolic_link, open_regular_file
from tasks.formats.errors import FormatError, LineRejected
from tasks.formats.requests import InputLimits

_BOM = b"\xef\xbb\xbf"
_PIECE = 1 << 16


@dataclass(frozen=True, slots=True)
class InputFile:
    """An open batch file; lines up to and including `skip_lines` were read before and are passed over."""

    path: Path
    stream: BinaryIO
    limits: InputLimits
    skip_lines: int


@contextmanager
def open_input(path: Path) -> Iterator[BinaryIO]:
    """Open a regular file for reading, through gzip where its name ends in .gz; raises FormatError."""
    with _open_regular(path) as raw:
        if path.suffix == ".gz":
            with gzip.GzipFile(fileobj=raw) as stream:
                yield cast(BinaryIO, stream)
        else:
            yield raw


def numbered_lines(file: InputFile) -> Iterator[tuple[int, bytes | LineRejected]]:
    """Yield each line with its number, blank ones too; a line over the limit is dropped piece by piece."""
    limits, readline = file.limits, file.stream.readline
    longest, number, size = limits.max_line_bytes + 1, 0, 0
    while line := readline(longest):
        number += 1
        size += len(line)
        if number == 1:
            line = line.removeprefix(_BOM)
        if len(line) == longest and not line.endswith(b"\n"):
            size += _drop_rest(file, size)
            yield number, LineRejected("line_too_long", f"longer than {limits.max_line_bytes} bytes")
        else:
            yield number, line
        _check_size(file, number, size)


def _open_regular(path: Path) -> BinaryIO:
    try:
        return open_regular_file(path, buffering=_PIECE)
    except NotRegularFileError:
        raise FormatError(path, "is not a regular file") from None
    except IsADirectoryError:
        raise FormatError(path, "is a folder") from None
    except ValueError:
        raise FormatError(path, "is no file name") from None
    except OSError as error:
        link = is_symbolic_link(error)
        reason = "is a symbolic link; name the file itself" if link else f"cannot be opened: {error.strerror}"
        raise FormatError(path, reason) from None


def _drop_rest(file: InputFile, size: int) -> int:
    dropped = 0
    while piece := file.stream.readline(_PIECE):
        dropped += len(piece)
        if piece.endswith(b"\n"):
            break
        _check_size(file, 0, size + dropped)
    return dropped


def _check_size(file: InputFile, lines: int, size: int) -> None:
    if lines > file.limits.max_lines:
        raise FormatError(file.path, f"has more than {file.limits.max_lines} lines")
    if size > file.limits.max_file_bytes:
        raise FormatError(file.path, f"holds more than {file.limits.max_file_bytes} bytes")
