"""What a worker process opens once and uses for every chunk."""

from __future__ import annotations

import os
import secrets
import socket
from functools import cached_property

from redis import Redis

from router_core.cached_encoding import CachedEmbedder
from router_core.embedding import Embedder
from router_core.router import Embedder as TrainedWith
from router_core.router import Router
from tasks.errors import SettingsError
from tasks.settings import Settings, load_settings
from tasks.stages.vectors import VectorStore
from tasks.store.engine import Store

REDIS_TIMEOUT_S = 10.0


class WorkerContext:
    """The resources of one worker process; each is opened when a stage first needs it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        #: unique per process: the store knows by it who holds a chunk
        self.owner = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"

    @cached_property
    def store(self) -> Store:
        """The store of record."""
        return Store(self.settings.store_url)

    @cached_property
    def vectors(self) -> VectorStore:
        """The vectors on their way from embed to route."""
        client = Redis.from_url(
            self.settings.redis_url, socket_timeout=REDIS_TIMEOUT_S, socket_connect_timeout=REDIS_TIMEOUT_S
        )
        return VectorStore(client)

    @cached_property
    def embedder(self) -> CachedEmbedder:
        """The model that the router was trained with; `OMP_NUM_THREADS` caps its threads.

        Raises SettingsError without a router: nothing is embedded then.
        """
        if self.settings.router.path is None:
            raise SettingsError("no [router] path: there is nothing to embed for")
        settings = self.settings.embedder
        record = TrainedWith.read(self.settings.router.path)
        embedder = Embedder.trained_with(record, precision=settings.precision)
        return CachedEmbedder.open(
            embedder, self.settings.cache_directory, max_vectors=settings.max_cached_vectors
        )

    @cached_property
    def router(self) -> Router | None:
        """The trained router, None until there is one."""
        path = self.settings.router.path
        return Router.load(path) if path is not None else None


_context: WorkerContext | None = None


def worker_context() -> WorkerContext:
    """This process's context; settings are read at the first call."""
    global _context
    if _context is None:
        _context = WorkerContext(load_settings())
    return _context
