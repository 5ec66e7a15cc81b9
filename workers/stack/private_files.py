"""Files that only their owner may read: passwords, and URLs that contain one."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from tasks.private_home import make_folder


def write_private(path: Path, text: str) -> None:
    """Write a file atomically with mode 0600; create its directory if necessary."""
    make_folder(path.parent)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
    temporary.replace(path)


def load_or_create_password(path: Path) -> str:
    """Return the password in a file; without one, write a random password there first."""
    try:
        password = path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        password = ""
    if not password:
        password = secrets.token_urlsafe(24)
        write_private(path, f"{password}\n")
    return password
