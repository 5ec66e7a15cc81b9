"""The routers of this process: versions fetched from the store, kept on this host's disk, loaded once."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from router_core.artefact import write_files
from router_core.errors import ArtefactError
from router_core.router import Router
from tasks.store.engine import Store
from tasks.store.routers import versions

#: a champion, a canary and the champion before: more are never in use at once
KEPT = 3


class RouterCache:
    """Routers by version; a router is checked against its hashes wherever it comes from."""

    def __init__(self, store: Store, directory: Path) -> None:
        self._store = store
        self._directory = directory
        self._loaded: dict[str, Router] = {}

    def get(self, version: str) -> Router:
        """Return the router of this version; UsageError if the store has none, ArtefactError if it is damaged."""
        router = self._loaded.pop(version, None) or self._load(version)
        self._loaded[version] = router
        while len(self._loaded) > KEPT:
            del self._loaded[next(iter(self._loaded))]
        return router

    def path(self, version: str) -> Path:
        """Return the directory that holds this version, fetched from the store if need be; raises as `get` does."""
        path = self._directory / version
        if not path.is_dir():
            self._fetch(version, path)
        return path

    def _load(self, version: str) -> Router:
        path = self.path(version)
        try:
            router = Router.load(path)
        except ArtefactError:  # damaged since it was fetched
            self._fetch(version, path)
            router = Router.load(path)
        if router.version != version:
            raise ArtefactError(f"{path} holds router {router.version}, not {version}")
        return router

    def _fetch(self, version: str, path: Path) -> None:
        with self._store.read() as connection:
            files = versions.files_of(connection, version)
        with suppress(OSError):  # another worker of this host was faster
            write_files(path, files)
