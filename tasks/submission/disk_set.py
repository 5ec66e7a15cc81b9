"""A set of keys on disk, to find duplicates in a file of any length."""

from __future__ import annotations

import sqlite3
from typing import Self


class DiskSet:
    """A set of byte strings in a temporary SQLite file; memory use stays at SQLite's page cache (2 MB)."""

    def __init__(self) -> None:
        # An empty name makes SQLite use a temporary file, which it removes on closing.
        self._database = sqlite3.connect("")
        self._database.execute("CREATE TABLE seen (key BLOB PRIMARY KEY) WITHOUT ROWID")

    def add(self, key: bytes) -> bool:
        """Add the key; return False if it was in the set before."""
        return self._database.execute("INSERT OR IGNORE INTO seen VALUES (?)", (key,)).rowcount == 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()
