"""The log files of child processes: they are rotated, so that no stack fills its disk with them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tasks.private_home import private_opener

MAX_BYTES = 10 << 20
#: how many older files are kept beside each log
KEPT = 3


def begin_anew(log: Path) -> None:
    """Put what an earlier run has written aside; nobody writes to the log now."""
    if log.exists():
        _make_room(log)
        log.rename(_older(log, 1))


def rotate_if_large(log: Path, *, max_bytes: int = MAX_BYTES) -> bool:
    """Put what is in a log aside if it is large, and return whether it was.

    Processes go on writing to the same file, as all of them append to it. Lines that they write between the
    copy and the cut are lost.
    """
    try:
        if log.stat().st_size <= max_bytes:
            return False
        _put_aside(log)
        os.truncate(log, 0)
    except OSError:  # a full disk, or a log that somebody has moved: the programs matter more
        return False
    return True


def _put_aside(log: Path) -> None:
    """Copy a log to the newest older file; where there is no room for it, the older ones stay as they are."""
    copy = log.with_name(f"{log.name}.new")
    try:
        with log.open("rb") as source, open(copy, "wb", opener=private_opener) as target:
            shutil.copyfileobj(source, target)
        _make_room(log)
        copy.replace(_older(log, 1))
    except OSError:
        copy.unlink(missing_ok=True)
        raise


def _make_room(log: Path) -> None:
    """Rename the older files, so that the newest of them can be written; the oldest is lost."""
    for number in range(KEPT - 1, 0, -1):
        if _older(log, number).exists():
            _older(log, number).replace(_older(log, number + 1))


def _older(log: Path, number: int) -> Path:
    return log.with_name(f"{log.name}.{number}")
