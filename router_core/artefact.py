"""A router on disk: a directory of plain files under a manifest that names and hashes every one of them."""

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
from router_core.regular_files import NotRegularFileError, open_regular_file

#: How the names of an embedding model's files begin, in a router that carries its own.
EMBEDDER_PREFIX = "embedder."
FORMAT = 3
#: far above any router; what is larger was put there by somebody else
MAX_FILE_BYTES = 2 << 30
MANIFEST = "manifest.json"


def write_artefact(path: Path, manifest: Mapping[str, Any], files: Mapping[str, bytes]) -> str:
    """Write a directory at once and return its version; an older artefact at the path is replaced.

    Raises ArtefactError if something stands there that is not an artefact.
    """
    if path.exists() and not (path / MANIFEST).is_file():
        raise ArtefactError(f"{path} exists and is not a router: it is left alone")
    text = manifest_text(manifest, files)
    write_files(path, {**files, MANIFEST: text})
    return version_of(text)


def write_files(path: Path, files: Mapping[str, bytes]) -> None:
    """Write the files of an artefact, manifest included, as they are; what stands at the path is replaced."""
    path.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        for name, data in files.items():
            _write(building / _plain(path, name), data)
        building.chmod(0o755)
        _swap(building, path)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def artefact_files(path: Path) -> dict[str, bytes]:
    """Return the files of an artefact, manifest included, their hashes checked; raises as `read_artefact`."""
    _, files, _ = read_artefact(path)
    return {**files, MANIFEST: _read(path, MANIFEST)}


def read_artefact(path: Path) -> tuple[dict[str, Any], dict[str, bytes], str]:
    """Return manifest, contents of the files by name, and version; only then is any file parsed.

    Raises ArtefactError if a file is missing, altered, a link or outside the directory.
    """
    text = _read(path, MANIFEST)
    manifest = _parse(path, text)
    files = {name: _verified(path, name, digest) for name, digest in manifest["files"].items()}
    return manifest, files, version_of(text)


def manifest_text(manifest: Mapping[str, Any], files: Mapping[str, bytes]) -> bytes:
    """Return the manifest as it is written: the caller's entries, the format and each file's SHA-256."""
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in sorted(files.items())}
    whole = {"format": FORMAT, **manifest, "files": hashes}
    return (json.dumps(whole, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def version_of(text: bytes) -> str:
    """Return the version of a router: the first 12 digits of its manifest's SHA-256."""
    return hashlib.sha256(text).hexdigest()[:12]


def pack(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Return arrays as the bytes of an .npz file."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def unpack(data: bytes) -> dict[str, NDArray[Any]]:
    """Return the arrays of an .npz file; nothing is unpickled."""
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
    # The bytes that were hashed are the bytes that are parsed: nobody can change the file in between.
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
        raise ArtefactError(f"{path / name} cannot be read: {error.strerror}") from error


def _write(path: Path, data: bytes) -> None:
    with path.open("xb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def _swap(building: Path, path: Path) -> None:
    """Put the new directory in the old one's place; a directory that holds files cannot be renamed over."""
    if path.exists():
        old = Path(tempfile.mkdtemp(prefix=f".{path.name}.old.", dir=path.parent))
        path.rename(old)
        building.rename(path)
        shutil.rmtree(old)
    else:
        building.rename(path)
