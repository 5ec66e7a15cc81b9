"""From the names that people give to the files that are read: globs, several files, URLs."""

from __future__ import annotations

import glob
from collections import Counter
from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path

from tasks.formats.errors import FormatError
from tasks.formats.locations.location import Location, full_name, location_of
from tasks.formats.locations.remote import matching


def expanded(names: Iterable[str | Path]) -> list[Location]:
    """Return the files of all names, in order; the files of a glob are sorted by name.

    Raises:
        FormatError: A glob matches nothing, or a file is named twice.
    """
    found = [location for name in names for location in _files_of(name)]
    for location, times in Counter(found).items():
        if times > 1:
            raise FormatError(location, "is named twice")
    return found


def source_name(locations: list[Location]) -> str:
    """Return the name of a batch's input for people, equal for the same files in the same order."""
    names = [full_name(location) for location in locations]
    if len(names) == 1:
        return names[0]
    digest = blake2b("\n".join(names).encode(errors="surrogateescape"), digest_size=4).hexdigest()
    return f"{len(names)} files from {names[0]} to {names[-1]} ({digest})"


def _files_of(name: str | Path) -> list[Location]:
    location = location_of(name)
    if not isinstance(location, Path):
        files = list(matching(location))
    elif isinstance(name, Path) or not glob.has_magic(name) or location.exists():
        return [location]
    else:
        files = [Path(path) for path in sorted(glob.glob(name, recursive=True)) if Path(path).is_file()]  # type: ignore[misc]
    if not files:
        raise FormatError(location, "matches no file")
    return files  # type: ignore[return-value]
