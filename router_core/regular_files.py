"""Opening a file that somebody else may have put there: regular files only, no symbolic links."""

from __future__ import annotations

import errno
import gzip
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

# Without O_NONBLOCK, opening a named pipe would wait for a writer. Regular files are read as without it.
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK


class NotRegularFileError(Exception):
    """The path names a device, a pipe or a socket."""


def open_regular_file(path: Path, *, buffering: int = -1) -> BinaryIO:
    """Open a regular file for reading bytes.

    Args:
        path: The file; a symbolic link in its last component is not followed.
        buffering: The size of the buffer, as the built-in `open` takes it.

    Raises:
        NotRegularFileError: It is a device or a pipe.
        IsADirectoryError: It is a directory.
        OSError: It cannot be opened; `is_symbolic_link` tells whether it is a link.
        ValueError: The path contains a null character.
    """
    descriptor = os.open(path, _FLAGS)
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(descriptor, "rb", buffering=buffering)
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    raise NotRegularFileError(f"{path} is not a regular file")


@contextmanager
def decompressed(raw: BinaryIO, path: Path) -> Iterator[BinaryIO]:
    """Read an open file through gzip if its name ends in .gz, else as it is."""
    if path.suffix == ".gz":
        with gzip.GzipFile(fileobj=raw) as stream:
            yield cast(BinaryIO, stream)
    else:
        yield raw


def is_symbolic_link(error: OSError) -> bool:
    """Return whether a file could not be opened because it is a symbolic link."""
    return error.errno == errno.ELOOP
