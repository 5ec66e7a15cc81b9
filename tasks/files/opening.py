"""The file storage that the settings name."""

from __future__ import annotations

from pathlib import Path

from tasks.files.objects import ObjectStorage
from tasks.files.storage import FileStorage, FolderStorage
from tasks.formats.locations.location import is_url
from tasks.settings import Settings

_FILE = "file://"


def open_storage(settings: Settings) -> FileStorage:
    """Return the file storage; raises SettingsError if it cannot be used."""
    named = settings.api.files
    if named is None:
        return FolderStorage(settings.home / "files")
    if named.startswith(_FILE):
        named = named.removeprefix(_FILE)
    elif is_url(named):
        return ObjectStorage(named)
    return FolderStorage(Path(named))
