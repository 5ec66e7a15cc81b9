"""Router artefacts: directories of plain files with a manifest of every file's SHA-256."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from router_core.errors import ArtefactError
from router_core.regular_files import NotRegularFileError, open_regular_file, reason_of

#: The prefix of the files of an embedding model that is part of the artefact.
EMBEDDER_PREFIX = "embedder."
FORMAT = 3
#: A larger file is refused; no router comes near this size.
MAX_FILE_BYTES = 2 << 30
MANIFEST = "manifest.json"


def write_artefact(path: Path, manifest: Mapping[str, Any], files: Mapping[str, bytes]) -> str:
    """Write an artefact and return its version; an older artefact at the path is replaced.

    Args:
        path: The directory of the artefact.
        manifest: The manifest's entries; format and hashes are added.
        files: The contents of the other files by name.

    Raises:
        ArtefactError: The path exists and is not an artefact.
    """
    if path.exists() and not (path / MANIFEST).is_file():
        raise ArtefactError(f"{path} exists and is not a router: it is left alone")
    text = manifest_text(manifest, files)
    write_files(path, {**files, MANIFEST: text})
    return version_of(text)


def write_files(path: Path, files: Mapping[str, bytes]) -> None:
    """Write all files of an artefact, the manifest among them, into a new directory and move it to the path.

    A directory at the path is replaced as a whole.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        for name, data in files.items():
            _write(temporary / _plain(path, name), data)
        temporary.chmod(0o755)
        _replace(path, temporary)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def artefact_files(path: Path) -> dict[str, bytes]:
    """Return the verified files of an artefact, the manifest among them; raises as `read_artefact` does."""
    _, files, _ = read_artefact(path)
    return {**files, MANIFEST: _read(path, MANIFEST)}


def read_artefact(path: Path) -> tuple[dict[str, Any], dict[str, bytes], str]:
    """Return the manifest, the contents of the files by name, and the version.

    All hashes are verified before the caller parses any file.

    Raises:
        ArtefactError: A file is missing, altered, a link or outside the directory.
    """
    text = _read(path, MANIFEST)
    manifest = _parse(path, text)
    files = {name: _verified(path, name, digest) for name, digest in manifest["files"].items()}
    return manifest, files, version_of(text)


def manifest_text(manifest: Mapping[str, Any], files: Mapping[str, bytes]) -> bytes:
    """Return the bytes of the manifest: the caller's entries, the format and each file's SHA-256."""
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in sorted(files.items())}
    whole = {"format": FORMAT, **manifest, "files": hashes}
    return (json.dumps(whole, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def version_of(text: bytes) -> str:
    """Return the version of a router: the first 12 digits of its manifest's SHA-256."""
    return hashlib.sha256(text).hexdigest()[:12]


def pack(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Return the bytes of an .npz file with these arrays."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def unpack(data: bytes) -> dict[str, NDArray[Any]]:
    """Return the arrays of an .npz file; pickled objects are refused."""
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        return dict(arrays)


def _parse(path: Path, text: bytes) -> dict[str, Any]:
    try:
        manifest = json.loads(text)
    except ValueError:
        raise ArtefactError(f"{path / MANIFEST} is not JSON") from None
    if not isinstance(manifest, dict) or not isinstance(manifest.get("files"), dict):
        raise ArtefactError(f"{path / MANIFEST} is not the manifest of a router")
    if manifest.get("format") != FORMAT:
        raise ArtefactError(f"{path} has format {manifest.get('format')!r}; this version reads {FORMAT}")
    return manifest


def _verified(path: Path, name: str, digest: str) -> bytes:
    # The file is read once: the verified bytes are those that are parsed, whatever happens to it later.
    data = _read(path, name)
    if hashlib.sha256(data).hexdigest() != digest:
        raise ArtefactError(f"{path / name} is not the file that the manifest names: SHA-256 differs")
    return data


def _plain(path: Path, name: str) -> str:
    if Path(name).name != name or name in ("", ".", ".."):
        raise ArtefactError(f"{path} names a file outside its directory: {name!r}")
    return name


def _read(path: Path, name: str) -> bytes:
    refusal = ArtefactError(f"{path / name} is no regular file of at most {MAX_FILE_BYTES} bytes")
    try:
        with open_regular_file(path / _plain(path, name)) as stream:
            if os.fstat(stream.fileno()).st_size > MAX_FILE_BYTES:
                raise refusal
            return stream.read()
    except NotRegularFileError:
        raise refusal from None
    except ValueError:
        raise ArtefactError(f"{path} names a file that cannot be: {name!r}") from None
    except OSError as error:
        raise ArtefactError(f"{path / name} cannot be read: {reason_of(error)}") from error


def _write(path: Path, data: bytes) -> None:
    with path.open("xb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def _replace(path: Path, new: Path) -> None:
    """Move the new directory to the path; rename cannot replace a directory that has files."""
    if path.exists():
        old = Path(tempfile.mkdtemp(prefix=f".{path.name}.old.", dir=path.parent))
        path.rename(old)
        new.rename(path)
        shutil.rmtree(old)
    else:
        new.rename(path)
