"""The interface of the file storage, and the storage in a folder.

A file appears under its name as a whole or not at all: `finish` makes it appear, and a draft that was not
finished is removed, by its writer or, after a crash, by the upkeep worker.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import BinaryIO, Protocol

from router_core.regular_files import open_regular_file
from tasks.errors import SettingsError
from tasks.formats.locations.location import Location
from tasks.private_home import make_folder

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_DRAFT = ".part"
_NAME = re.compile(r"[0-9a-f]{32}(?:\.part)?")
_PIECE_BYTES = 1 << 20


def new_name() -> str:
    """Return a name that no file has."""
    return secrets.token_hex(16)


def is_name(text: str) -> bool:
    """Return whether this may be the name of a file, or of its draft."""
    return _NAME.fullmatch(text) is not None


class Draft(Protocol):
    """A file that is being written; `size` counts its bytes."""

    size: int

    def write(self, data: bytes) -> None:
        """Append bytes; raises OSError, on a full disk for example."""

    def finish(self) -> str:
        """Let the file appear, durably, and return the SHA-256 of its bytes in hex."""

    def discard(self) -> None:
        """Remove what was written, unless it was finished."""


class FileStorage(Protocol):
    """A place that keeps files under names."""

    def draft(self, name: str) -> Draft:
        """Begin a file."""

    def location(self, name: str) -> Location:
        """Return where a file can be read."""

    def open(self, name: str) -> AbstractContextManager[BinaryIO]:
        """Open a file for reading; raises OSError."""

    def pieces(self, name: str, first: int, end: int) -> Iterator[bytes]:
        """Yield the bytes of a file from `first` up to `end`; raises OSError."""

    def delete(self, name: str) -> None:
        """Remove a file; it need not be there."""

    def drafts_and_files(self, older_than_s: float) -> Iterator[str]:
        """Yield the names of files, and of drafts, that were last written that long ago.

        Only those that `new_name` may have made: what others keep in the same place is none of ours.
        """


class FolderStorage:
    """A file storage in a folder that only its owner may read."""

    def __init__(self, folder: Path) -> None:
        """Create the folder if necessary; raises SettingsError."""
        self._folder = folder
        try:
            make_folder(folder)
        except OSError as error:
            raise SettingsError(f"the file storage {folder} cannot be opened: {error.strerror}") from None

    def draft(self, name: str) -> FolderDraft:
        """Begin a file; raises OSError."""
        return FolderDraft(self._folder / name)

    def location(self, name: str) -> Path:
        """Return the path of a file."""
        return self._folder / name

    def open(self, name: str) -> BinaryIO:
        """Open a file for reading; raises OSError."""
        return open_regular_file(self._folder / name)

    def pieces(self, name: str, first: int, end: int) -> Iterator[bytes]:
        """Yield the bytes of a file from `first` up to `end`; raises OSError."""
        with self.open(name) as stream:
            stream.seek(first)
            while first < end and (piece := stream.read(min(_PIECE_BYTES, end - first))):
                yield piece
                first += len(piece)

    def delete(self, name: str) -> None:
        """Remove a file or a draft; it need not be there."""
        with suppress(FileNotFoundError):
            (self._folder / name).unlink()

    def drafts_and_files(self, older_than_s: float) -> Iterator[str]:
        """Yield the names of files, and of drafts, that were last written that long ago."""
        oldest = time.time() - older_than_s
        with os.scandir(self._folder) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):
                    if is_name(entry.name) and entry.stat(follow_symlinks=False).st_mtime < oldest:
                        yield entry.name


class FolderDraft:
    """A draft beside the file that it becomes."""

    def __init__(self, path: Path) -> None:
        self._path, self._draft = path, path.with_name(path.name + _DRAFT)
        self._stream = os.fdopen(os.open(self._draft, _FLAGS, 0o600), "wb", buffering=0)
        self._hash = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> None:
        """Append bytes; raises OSError."""
        view = memoryview(data)
        while view:
            written = self._stream.write(view)
            view = view[written:]
        self._hash.update(data)
        self.size += len(data)

    def finish(self) -> str:
        """Let the file appear, durably, and return the SHA-256 of its bytes."""
        os.fsync(self._stream.fileno())
        self._stream.close()
        self._draft.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return self._hash.hexdigest()

    def discard(self) -> None:
        """Remove the draft, unless it was finished."""
        self._stream.close()
        self._draft.unlink(missing_ok=True)
