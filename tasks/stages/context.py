"""The resources that a worker process opens once and uses for every chunk."""

from __future__ import annotations

import os
import secrets
import socket
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.connections import redis_clients
from tasks.settings import Settings, load_settings
from tasks.stages.fair_claims import FairClaims
from tasks.store.engine import Store
from tasks.store.routers.roles import Roles

# Dispatch workers have no numpy: what needs it is imported by the role that uses it.
if TYPE_CHECKING:
    from router_core.embedding.cached_embedder import CachedEmbedder
    from router_core.router import Router
    from tasks.stages.router_cache import RouterCache
    from tasks.stages.vector_store import VectorStore

REDIS_TIMEOUT_S = 10.0


class WorkerContext:
    """The resources of one worker process; each is opened when a stage first needs it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._embedder: tuple[Path, CachedEmbedder] | None = None
        #: unique per process; the store records it as the holder of a chunk
        self.owner = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"

    @cached_property
    def store(self) -> Store:
        """The store of record."""
        return Store(self.settings.store_url, is_worker=True)

    @cached_property
    def claims(self) -> FairClaims:
        """The claims of chunks, fair among batches."""
        return FairClaims(self.store, self.owner, self.settings.upkeep.lease_s)

    @cached_property
    def vectors(self) -> VectorStore:
        """The vectors between the embed and the route stage."""
        from tasks.stages.vector_store import VectorStore

        return VectorStore(redis_clients.connect(self.settings.redis_url, timeout_s=REDIS_TIMEOUT_S))

    @cached_property
    def router_cache(self) -> RouterCache:
        """The routers of the store."""
        from tasks.stages.router_cache import RouterCache

        return RouterCache(self.store, self.settings.home / "routers")

    def router(self, current: Roles) -> Router | None:
        """Return the router to use: the champion, else the router of the settings, else None."""
        return self.router_cache.get(current.champion) if current.champion else self._configured_router

    def router_path(self, current: Roles) -> Path | None:
        """Return the directory of that router without loading it: an embed worker needs only its embedder."""
        return self.router_cache.path(current.champion) if current.champion else self.settings.router.path

    def embedder(self, router: Path) -> CachedEmbedder:
        """Return the embedder of the router in this directory; `OMP_NUM_THREADS` limits its threads."""
        if self._embedder is None or self._embedder[0] != router:
            self._embedder = (router, self._open_embedder(router))
        return self._embedder[1]

    def _open_embedder(self, router: Path) -> CachedEmbedder:
        from router_core.embedding.cached_embedder import CachedEmbedder
        from router_core.embedding.embedder import Embedder
        from router_core.embedding.spec import EmbedderSpec

        settings = self.settings.embedder
        embedder = Embedder.for_spec(EmbedderSpec.read(router), precision=settings.precision)
        return CachedEmbedder.open(
            embedder, self.settings.cache_directory, max_vectors=settings.max_cached_vectors
        )

    @cached_property
    def _configured_router(self) -> Router | None:
        from router_core.router import Router

        path = self.settings.router.path
        return Router.load(path) if path is not None else None


_context: WorkerContext | None = None


def worker_context() -> WorkerContext:
    """Return this process's context; the first call reads the settings."""
    global _context
    if _context is None:
        _context = WorkerContext(load_settings())
    return _context
