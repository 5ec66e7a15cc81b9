"""The home and the database hold prompts and answers: only their owner may read them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from glob import glob
from pathlib import Path

#: the permissions of the group and of others
SHARED = 0o077
#: what has prompts or answers in it, or may quote them
_PRIVATE = ("waybill.db*", "logs", "logs/*")


def secure(home: Path) -> None:
    """Make the home with mode 0700 unless it is there; take the rights of others from one that is.

    A home in or below which the user works is not Waybill's alone: it keeps its mode, and only the files in
    it are secured. What another user owns keeps its mode, too; `waybill doctor` names both.
    """
    with suppress(OSError):  # whoever has to write there fails with a better message
        make_folder(home)
    for path in exposed(home):
        with suppress(OSError):
            if path != _real(home) or not _is_shared_place(path):
                path.chmod(stat.S_IMODE(path.stat().st_mode) & ~SHARED)


def exposed(home: Path) -> Iterator[Path]:
    """Yield the home and those of its files that others may read; of a home that is a link, the target."""
    home = _real(home)
    # Unlike Path.glob, it finds nothing in a folder that another user has closed, and raises no error.
    found = (home / name for pattern in _PRIVATE for name in glob(pattern, root_dir=home))
    for path in (home, *found):
        if is_exposed(path):
            yield path


def is_exposed(path: Path) -> bool:
    """Return whether others than its owner have any right to a file or folder; a link has none."""
    with suppress(OSError):  # it is gone by now, or lies in a folder that another user has closed
        mode = path.lstat().st_mode
        return not stat.S_ISLNK(mode) and bool(mode & SHARED)
    return False


def make_folder(folder: Path) -> None:
    """Make a folder with mode 0700 unless it is there."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def make_file(file: Path) -> None:
    """Make an empty file with mode 0600, and its folder, unless they are there."""
    if not file.exists():
        make_folder(file.parent)
        os.close(private_opener(str(file), os.O_WRONLY))


def private_opener(path: str, flags: int) -> int:
    """Open a file for `open(opener=…)`; one that is made gets mode 0600."""
    return os.open(path, flags | os.O_CREAT, 0o600)


def _real(home: Path) -> Path:
    return Path(os.path.realpath(home))


def _is_shared_place(home: Path) -> bool:
    places = (Path.cwd(), Path(os.path.expanduser("~")))
    return any(_real(place).is_relative_to(home) for place in places)
