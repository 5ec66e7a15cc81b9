"""Embeds a chunk of prompts, paying only for those whose vectors are not cached."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from router_core.embedding import Embedder
from router_core.vector_cache import VectorCache, text_key


@dataclass(frozen=True, eq=False)
class CachedEncoding:
    """Vectors of a chunk: float32 [n, dimension], and how many of the n texts came from the cache."""

    vectors: npt.NDArray[np.float32]
    hits: int


def encode_cached(embedder: Embedder, cache: VectorCache, texts: Sequence[str]) -> CachedEncoding:
    """Embed texts through the cache; a text that repeats within the chunk is embedded once.

    The vectors are rounded to float16 whether cached or new, so that a prompt is routed the same
    way every time.
    """
    keys = [text_key(text) for text in texts]
    found, vectors = cache.get(keys)
    row_of = {keys[row]: row for row in np.flatnonzero(~found).tolist()}
    new = embedder.encode([texts[row] for row in row_of.values()]).astype(np.float16).astype(np.float32)
    cache.put(list(row_of), new)
    fresh = dict(zip(row_of, new, strict=True))
    for row in np.flatnonzero(~found).tolist():
        vectors[row] = fresh[keys[row]]
    return CachedEncoding(vectors, hits=int(found.sum()))
