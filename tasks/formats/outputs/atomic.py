"""Atomic replacement of files."""

import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from io import BufferedWriter, FileIO
from pathlib import Path
from typing import Any, BinaryIO

from tasks.formats.errors import FormatError

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

#: Less what the user's umask takes away. Others get no rights: answers are nobody else's business.
_MODE = 0o660


@contextmanager
def replacing(paths: Sequence[Path]) -> Iterator[Sequence[BinaryIO]]:
    """Yield a stream for each path; when the block ends without an error, the streams replace the files.

    Otherwise the old files stay and the drafts are removed.

    Raises:
        FormatError: A path is a symbolic link, a folder or a device, or cannot be written. The streams also
            raise it, for example on a full disk.
    """
    drafts = [path.with_name(f".waybill-{secrets.token_hex(8)}.part") for path in paths]
    try:
        with ExitStack() as opened:
            pairs = list(zip(paths, drafts, strict=True))
            streams = [opened.enter_context(_create(path, draft)) for path, draft in pairs]
            yield streams
            for path, stream in zip(paths, streams, strict=True):
                _flush(path, stream)
        for path, draft in pairs:
            _replace(path, draft)
    finally:
        for draft in drafts:
            draft.unlink(missing_ok=True)


class _Draft(FileIO):
    """A draft file; its write errors name the path that it will replace."""

    def __init__(self, path: Path, draft: Path) -> None:
        super().__init__(os.open(draft, _FLAGS, _MODE), "wb")
        self._path = path

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError as error:
            raise _unwritable(self._path, error) from None


def _create(path: Path, draft: Path) -> BufferedWriter:
    try:
        if path.is_symlink():
            raise FormatError(path, "is a symbolic link; name the file itself")
        if path.exists() and not path.is_file():
            raise FormatError(path, "is a folder" if path.is_dir() else "is not a regular file")
        return BufferedWriter(_Draft(path, draft))
    except OSError as error:
        raise _unwritable(path, error) from None


def _flush(path: Path, stream: BinaryIO) -> None:
    try:
        stream.flush()
        os.fsync(stream.fileno())
    except OSError as error:
        raise _unwritable(path, error) from None


def _replace(path: Path, draft: Path) -> None:
    try:
        os.replace(draft, path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise _unwritable(path, error) from None
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _unwritable(path: Path, error: OSError) -> FormatError:
    return FormatError(path, f"cannot be written: {error.strerror}")
