"""A set of keys that lives on disk, so that a file of any length can be searched for repeats."""

from __future__ import annotations

import sqlite3
from types import TracebackType
from typing import Self


class DiskSet:
    """Remembers keys in a temporary file; memory stays at SQLite's page cache (2 MB)."""

    def __init__(self) -> None:
        # SQLite keeps a database without a name in a temporary file and removes it on closing.
        self._database = sqlite3.connect("")
        self._database.execute("CREATE TABLE seen (key BLOB PRIMARY KEY) WITHOUT ROWID")

    def add(self, key: bytes) -> bool:
        """Remember the key; False if it was there before."""
        return self._database.execute("INSERT OR IGNORE INTO seen VALUES (?)", (key,)).rowcount == 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()
