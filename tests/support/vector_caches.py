"""Vector caches, with keys and vectors that depend on a number alone."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from router_core.embedding.vector_cache import VectorCache, text_key

D = 24


def numbered_keys(start: int, stop: int) -> list[bytes]:
    return [text_key(f"prompt {number}") for number in range(start, stop)]


def numbered_vectors(start: int, stop: int) -> npt.NDArray[np.float32]:
    """Unit vectors that depend on their number alone."""
    angles = np.arange(start, stop)[:, None] * np.linspace(0.1, 1.7, D)
    vectors = np.cos(angles).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def open_cache(directory: Path, **options: int) -> VectorCache:
    return VectorCache(directory, fingerprint="embedder one", dimension=D, **options)


def segments_in(directory: Path) -> list[Path]:
    return sorted(directory.rglob("*.vectors"))
