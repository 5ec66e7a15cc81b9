"""Which parameters LiteLLM drops for a model, without importing LiteLLM, which takes seconds.

The answers are kept in the user's cache. Only for samples that are not there yet, LiteLLM is asked, by a
process of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import tasks

_ENTRY = "tasks.providers.dropped_parameters"
_ROOT = Path(tasks.__file__).parent.parent


class DroppedParameters:
    """The parameters that LiteLLM drops, by a model's name in LiteLLM and samples of parameters."""

    def __init__(self, folder: Path | None = None) -> None:
        """Read what is known; `folder` is that of the cache, by default the user's."""
        self._file = (folder or _cache_folder()) / f"litellm-{_version()}-parameters.json"
        self._known = _read(self._file)
        self._process: subprocess.Popen[str] | None = None

    def of(self, model: str, samples: str) -> frozenset[str]:
        """Return the dropped parameters among the sampled ones; none if LiteLLM is not installed."""
        if not samples or not _version():
            return frozenset()
        key = f"{model} {samples}"
        if key not in self._known:
            answer = self._answer(model, samples)
            if answer is None:
                return frozenset()
            self._known[key] = answer
        return frozenset(self._known[key])

    def close(self) -> None:
        """End the process, and keep what it has said."""
        if self._process is None:
            return
        self._process.communicate()
        self._process = None
        with suppress(OSError):
            _write(self._file, self._known)

    def _answer(self, model: str, samples: str) -> list[str] | None:
        """Return LiteLLM's answer; None if its process could not give one."""
        process = self._process = self._process or _started()
        assert process.stdin is not None
        assert process.stdout is not None
        with suppress(OSError, ValueError):
            process.stdin.write(json.dumps([model, samples]) + "\n")
            process.stdin.flush()
            answer = json.loads(process.stdout.readline())
            return [name for name in answer if isinstance(name, str)]
        return None


def _started() -> subprocess.Popen[str]:
    paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return subprocess.Popen(
        [sys.executable, "-m", _ENTRY],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )


def _version() -> str | None:
    try:
        return version("litellm")
    except PackageNotFoundError:
        return None


def _cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "waybill"


def _read(file: Path) -> dict[str, list[str]]:
    try:
        known = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return dict(_entries(known)) if isinstance(known, dict) else {}


def _entries(known: dict[str, object]) -> Iterator[tuple[str, list[str]]]:
    for key, names in known.items():
        if isinstance(names, list) and all(isinstance(name, str) for name in names):
            yield key, names


def _write(file: Path, known: dict[str, list[str]]) -> None:
    """Write the file as a whole, so that a reader never sees a part of it."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = file.with_suffix(f".{os.getpid()}")
    part.write_text(json.dumps(known, sort_keys=True))
    part.chmod(0o600)
    part.replace(file)
