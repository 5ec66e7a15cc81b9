"""Opening a file that somebody else may have put there: regular files only, no symbolic links."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

# Without O_NONBLOCK, opening a named pipe would wait for a writer. Regular files are read as without it.
_FLAGS = os.O_RDONLY | os.O_NONBLOCK


class NotRegularFileError(Exception):
    """The path names a device, a pipe or a socket."""


def open_regular_file(path: Path, *, buffering: int = -1, follow_links: bool = False) -> BinaryIO:
    """Open a regular file for reading bytes.

    Args:
        path: The file.
        buffering: The size of the buffer, as the built-in `open` takes it.
        follow_links: Whether a symbolic link in the path's last component is followed.

    Raises:
        NotRegularFileError: It is a device or a pipe.
        IsADirectoryError: It is a directory.
        OSError: It cannot be opened; `is_symbolic_link` tells whether it is a link.
        ValueError: The path contains a null character.
    """
    descriptor = os.open(path, _FLAGS if follow_links else _FLAGS | os.O_NOFOLLOW)
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(descriptor, "rb", buffering=buffering)
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    raise NotRegularFileError(f"{path} is not a regular file")


def reason_of(error: OSError) -> str:
    """Return why a file cannot be opened; where rights are missing, whose they are.

    In a container, the user of the process is not the one who owns the file on the host.
    """
    reason = error.strerror or type(error).__name__
    return f"{reason} for uid {os.geteuid()}" if isinstance(error, PermissionError) else reason


def is_symbolic_link(error: OSError) -> bool:
    """Return whether a file could not be opened because it is a symbolic link."""
    return error.errno == errno.ELOOP
