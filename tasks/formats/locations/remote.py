"""Files behind URLs, through fsspec: S3, Google Cloud and Azure by obstore, HTTP and Hugging Face directly.

Credentials come from where these libraries look for them: the environment (`AWS_ACCESS_KEY_ID`,
`AWS_ENDPOINT_URL`, `GOOGLE_APPLICATION_CREDENTIALS`, `AZURE_STORAGE_ACCOUNT_NAME`, `HF_TOKEN` …) and the
machine.
Errors name their class only: their text may hold the URL with its keys.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import urlsplit

from tasks.formats.errors import FormatError, UnreadableError
from tasks.formats.locations.location import RemoteFile

_OBJECT_STORES = frozenset({"s3", "gs", "az"})
_BUFFER_BYTES = 1 << 20
#: how often a broken download is taken up again at the byte where it broke, and the first pause in seconds
_TRIES = 5
PAUSE_S = 0.5


@contextmanager
def open_remote(file: RemoteFile) -> Iterator[BinaryIO]:
    """Open a remote file for reading in blocks; raises FormatError.

    The stream can be peeked into, and sought where the server allows it. It raises OSError if the file ends
    before its size, after tries to go on.
    """
    with _format_errors(file):
        files, path = _files(file)
        size = files.info(path).get("size")
        raw = _Download(lambda: files.open(path, "rb"), size)
    with io.BufferedReader(raw, _BUFFER_BYTES) as stream:
        yield cast(BinaryIO, stream)


def upload(draft: Path, file: RemoteFile) -> None:
    """Write a local file to a remote place, where it appears as a whole; raises FormatError."""
    with _format_errors(file, "written"):
        files, path = _files(file)
        files.put_file(str(draft), path)


def matching(pattern: RemoteFile) -> list[RemoteFile]:
    """Return the files that a pattern matches, sorted; a URL of HTTP is no pattern. Raises FormatError."""
    if pattern.is_read_only or not any(character in pattern.url for character in "*?["):
        return [pattern]
    with _format_errors(pattern):
        files, path = _files(pattern)
        found = sorted(files.glob(path))
    return [RemoteFile(f"{pattern.scheme}://{str(name).lstrip('/')}") for name in found]


def _files(file: RemoteFile) -> tuple[Any, str]:
    """Return the file system of a URL and the path in it."""
    try:
        import fsspec

        if file.scheme in _OBJECT_STORES:
            from obstore.fsspec import FsspecStore

            # Plain HTTP is for endpoints that the operator names so: MinIO on the same machine, for example.
            store = FsspecStore(
                file.scheme,
                client_options={"allow_http": True},
                credential_provider=_profile() if file.scheme == "s3" else None,
                # Not the store of an earlier call: its endpoint and keys may have changed since.
                skip_instance_cache=True,
            )
            parts = urlsplit(file.url)
            return store, f"{parts.netloc}{parts.path}"
        return cast(tuple[Any, str], fsspec.url_to_fs(file.url))
    except ImportError as error:
        raise FormatError(file, f"needs {error.name}: pip install 'waybill[remote]'") from None


def _profile() -> object:
    """Return the credentials of AWS's own files (profiles, single sign-on), None without any."""
    try:
        import boto3
        from obstore.auth.boto3 import Boto3CredentialProvider
    except ImportError:
        return None
    session = boto3.Session()
    found = session.get_credentials()
    # obstore reads the environment itself, and asks the machine for its role.
    is_of_files = found is not None and found.method not in ("env", "iam-role", "container-role")
    return Boto3CredentialProvider(session) if is_of_files else None


@contextmanager
def _format_errors(file: RemoteFile, done: str = "opened") -> Iterator[None]:
    try:
        yield
    except FormatError:
        raise
    except FileNotFoundError:
        raise UnreadableError(file, f"cannot be {done}: no such file") from None
    except Exception as error:
        raise UnreadableError(file, f"cannot be {done}: {type(error).__name__}") from None


class _Download(io.RawIOBase):
    """A remote file as a raw stream, which goes on where a download broke off."""

    def __init__(self, open_file: Callable[[], Any], size: int | None) -> None:
        self._open, self._size = open_file, size
        self._file, self._at = open_file(), 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return bool(self._file.seekable())

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = int(self._file.seek(offset, whence))
        return self._at

    def readinto(self, buffer: Any) -> int:
        data = self._block(len(buffer))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()

    def _block(self, length: int) -> bytes:
        """Return the next bytes, empty only at the end that the size promises; raises OSError."""
        for attempt in range(_TRIES):
            try:
                if attempt:
                    self._reopen(PAUSE_S * 2 ** (attempt - 1))
                data = bytes(self._file.read(length))
            except Exception as error:
                broken = type(error).__name__
                if not self._file.seekable():
                    break
                continue
            if data or self._size is None or self._at >= self._size:
                return data
            broken = "it ends before its size"
        raise OSError(f"broken off at byte {self._at} of {self._size}: {broken}")

    def _reopen(self, pause_s: float) -> None:
        time.sleep(pause_s)
        with suppress(Exception):
            self._file.close()
        self._file = self._open()
        self._file.seek(self._at)
