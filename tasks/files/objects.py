"""The file storage in an object store: S3, Google Cloud or Azure, through obstore.

Keys come from where its libraries look for them: `AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL` and so on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO

from tasks.errors import SettingsError
from tasks.files.storage import is_name
from tasks.formats.errors import FormatError
from tasks.formats.locations.location import RemoteFile
from tasks.formats.locations.remote import open_remote

#: the size of the pieces of an upload; S3 takes none below 5 MB, and 10,000 of them at most
_PIECE_BYTES = 8 << 20


class ObjectStorage:
    """A file storage below a URL; an object appears as a whole when its upload is completed."""

    def __init__(self, url: str) -> None:
        """Name the place; raises SettingsError where obstore is not installed or the URL is none of its."""
        self._url = url.rstrip("/")
        try:
            from obstore.store import from_url

            self._store: Any = from_url(self._url, client_options={"allow_http": True})
        except ImportError:
            raise SettingsError("[api] files needs obstore: pip install 'waybill[remote]'") from None
        except Exception as error:
            raise SettingsError(f"[api] files cannot be used: {type(error).__name__}") from None

    def draft(self, name: str) -> ObjectDraft:
        """Begin a file; raises OSError."""
        return ObjectDraft(self._store, name)

    def location(self, name: str) -> RemoteFile:
        """Return the URL of a file."""
        return RemoteFile(f"{self._url}/{name}")

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """Open a file for reading; raises OSError."""
        try:
            with open_remote(self.location(name)) as stream:
                yield stream
        except FormatError as error:
            raise OSError(error.reason) from None

    def pieces(self, name: str, first: int, end: int) -> Iterator[bytes]:
        """Yield the bytes of a file from `first` up to `end`; raises OSError."""
        import obstore

        for start in range(first, end, _PIECE_BYTES):
            with _as_os_error():
                piece = obstore.get_range(self._store, name, start=start, end=min(start + _PIECE_BYTES, end))
            yield bytes(piece)

    def delete(self, name: str) -> None:
        """Remove a file; it need not be there."""
        import obstore

        with suppress(FileNotFoundError), _as_os_error():
            obstore.delete(self._store, name)

    def drafts_and_files(self, older_than_s: float) -> Iterator[str]:
        """Yield the names of our files that were last written that long ago; nobody sees drafts."""
        import obstore

        oldest = datetime.now(UTC) - timedelta(seconds=older_than_s)
        with _as_os_error():
            for page in obstore.list(self._store):
                old = (one["path"] for one in page if one["last_modified"] < oldest)
                yield from filter(is_name, old)


class ObjectDraft:
    """An upload in pieces, of which one is in memory."""

    def __init__(self, store: Any, name: str) -> None:
        import obstore

        with _as_os_error():
            self._writer: Any = obstore.open_writer(store, name, buffer_size=_PIECE_BYTES, max_concurrency=1)
        self._hash = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> None:
        """Append bytes; raises OSError."""
        with _as_os_error():
            self._writer.write(data)
        self._hash.update(data)
        self.size += len(data)

    def finish(self) -> str:
        """Complete the upload, and return the SHA-256 of its bytes."""
        writer, self._writer = self._writer, None
        with _as_os_error():
            writer.close()
        return self._hash.hexdigest()

    def discard(self) -> None:
        """Leave the upload as it is, unless it was finished: an object store shows no part of it."""
        self._writer = None


@contextmanager
def _as_os_error() -> Iterator[None]:
    """Raise what obstore raises as an OSError without its text, which may hold the URL and its keys."""
    try:
        yield
    except FileNotFoundError:
        raise FileNotFoundError("no such file") from None
    except OSError as error:
        raise OSError(type(error).__name__) from None
    except Exception as error:
        raise OSError(type(error).__name__) from None
