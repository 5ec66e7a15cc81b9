"""The router cache: versions are fetched from the store to this host's disk and loaded once per process."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from router_core.artefact import write_files
from router_core.errors import ArtefactError
from router_core.router import Router
from tasks.store.engine import Store
from tasks.store.routers import versions

#: the most routers in memory: a champion, a canary and the previous champion
MAX_LOADED = 3


class RouterCache:
    """The routers by version; a router's files are verified against its hashes on every load."""

    def __init__(self, store: Store, directory: Path) -> None:
        self._store = store
        self._directory = directory
        self._loaded: dict[str, Router] = {}

    def get(self, version: str) -> Router:
        """Return the router of this version.

        Raises:
            UsageError: The store does not have this version.
            ArtefactError: The router in the store is damaged.
        """
        # Popped and inserted again, so that the dict stays in the order of use.
        router = self._loaded.pop(version, None) or self._load(version)
        self._loaded[version] = router
        while len(self._loaded) > MAX_LOADED:
            del self._loaded[next(iter(self._loaded))]
        return router

    def path(self, version: str) -> Path:
        """Return the directory of this version, fetched if necessary; raises UsageError as `get` does."""
        path = self._directory / version
        if not path.is_dir():
            self._fetch(version, path)
        return path

    def _load(self, version: str) -> Router:
        path = self.path(version)
        try:
            router = Router.load(path)
        except ArtefactError:  # damaged since it was fetched: fetch it again
            self._fetch(version, path)
            router = Router.load(path)
        if router.version != version:
            raise ArtefactError(f"{path} holds router {router.version}, not {version}")
        return router

    def _fetch(self, version: str, path: Path) -> None:
        with self._store.read() as connection:
            files = versions.files_of(connection, version)
        with suppress(OSError):  # another worker of this host has written the files
            write_files(path, files)
