"""Embedders with their vector cache: that of a trained router, or one to train a router with."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from router_core.embedding.model_files import DEFAULT_MODEL, DEFAULT_WEIGHTS_SHA256
from tasks.settings import STATIC, Settings

if TYPE_CHECKING:
    from router_core.embedding.cached_embedder import CachedEmbedder
    from router_core.embedding.embedder import Embedder
    from router_core.embedding.spec import EmbedderSpec


def router_embedder(settings: Settings, spec: EmbedderSpec) -> CachedEmbedder:
    """Return the embedder that a router was trained with.

    Raises:
        ConfigurationError: The model on this machine is another one.
    """
    from router_core.embedding.embedder import Embedder

    return _cached(settings, Embedder.for_spec(spec, precision=settings.embedder.precision))


def training_embedder(settings: Settings, model: str, notify: Callable[[str], None]) -> CachedEmbedder:
    """Return the embedder of a name: a hub id, a folder, or `static`, which is distilled at first use."""
    from router_core.embedding.embedder import Embedder
    from router_core.embedding.static_encoder import static_files

    if model == STATIC:
        return _cached(settings, Embedder.from_files(STATIC, static_files(static_folder(notify))))
    return _cached(settings, Embedder.load(model, precision=settings.embedder.precision))


def static_folder(notify: Callable[[str], None]) -> Path:
    """Return the folder of the default model's static embedding in the user's cache; distil it if missing."""
    from router_core.embedding.distillation import DIMENSION, distill
    from router_core.embedding.static_encoder import is_static

    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "waybill"
    folder = cache / f"static-{DIMENSION}-{DEFAULT_WEIGHTS_SHA256[:12]}"
    with _exclusive_lock(cache):
        if not is_static(folder):
            notify(f"distilling a static embedding from {DEFAULT_MODEL}, once, in about half a minute")
            distill(DEFAULT_MODEL, output=folder)
    return folder


@contextmanager
def _exclusive_lock(folder: Path) -> Iterator[None]:
    """Hold a lock on a folder, so that of two processes that train at once only one distils."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _cached(settings: Settings, embedder: Embedder) -> CachedEmbedder:
    from router_core.embedding.cached_embedder import CachedEmbedder

    return CachedEmbedder.open(
        embedder, settings.cache_directory, max_vectors=settings.embedder.max_cached_vectors
    )
