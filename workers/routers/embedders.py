"""The embedders of this process: the one that a router was trained with, or one to train with."""

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


def router_embedder(settings: Settings, record: EmbedderSpec) -> CachedEmbedder:
    """Return the embedder of a router; raises ConfigurationError where this machine's model is another one."""
    from router_core.embedding.embedder import Embedder

    return _cached(settings, Embedder.for_spec(record, precision=settings.embedder.precision))


def training_embedder(settings: Settings, model: str, say: Callable[[str], None]) -> CachedEmbedder:
    """Return the embedder of this name: a hub id, a folder, or `static`, which is distilled when first needed."""
    from router_core.embedding.embedder import Embedder
    from router_core.embedding.static_encoder import static_files

    if model == STATIC:
        return _cached(settings, Embedder.from_files(STATIC, static_files(static_folder(say))))
    return _cached(settings, Embedder.load(model, precision=settings.embedder.precision))


def static_folder(say: Callable[[str], None]) -> Path:
    """Return the static embedding of the default model, in the user's cache; distilled if it is not there yet."""
    from router_core.embedding.distillation import DIMENSION, distill
    from router_core.embedding.static_encoder import is_static

    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "waybill"
    folder = cache / f"static-{DIMENSION}-{DEFAULT_WEIGHTS_SHA256[:12]}"
    with _alone(cache):
        if not is_static(folder):
            say(f"distilling a static embedding from {DEFAULT_MODEL}, once, in about half a minute")
            distill(DEFAULT_MODEL, output=folder)
    return folder


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process at a time: two that train at once need not both distil."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _cached(settings: Settings, embedder: Embedder) -> CachedEmbedder:
    from router_core.embedding.cached_embedder import CachedEmbedder

    return CachedEmbedder.open(
        embedder, settings.cache_directory, max_vectors=settings.embedder.max_cached_vectors
    )
