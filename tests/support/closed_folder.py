"""A folder that another user has closed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def closed(folder: Path) -> Iterator[None]:
    """Close a folder for this process, which is no administrator meanwhile."""
    folder.chmod(0o000)
    user = os.geteuid()
    try:
        if user == 0:
            os.seteuid(65534)
        yield
    finally:
        os.seteuid(user)
        folder.chmod(0o700)
