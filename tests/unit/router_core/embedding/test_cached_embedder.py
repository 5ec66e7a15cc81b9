"""Embedding through the cache, on the real model."""

from pathlib import Path

import numpy as np
import pytest

from router_core.embedding.cached_embedder import encode_cached
from router_core.embedding.embedder import Embedder
from router_core.embedding.vector_cache import VectorCache


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return Embedder.load(threads=1)


@pytest.fixture
def cache(tmp_path: Path, embedder: Embedder) -> VectorCache:
    return VectorCache(tmp_path, fingerprint=embedder.fingerprint, dimension=embedder.dimension)


def test_a_hit_gives_the_same_bits_as_the_miss_before_it(embedder: Embedder, cache: VectorCache) -> None:
    texts = ["Sort a list in Python.", "Tell a story.", "Sort a list in Python.", ""]
    first, second = encode_cached(embedder, cache, texts), encode_cached(embedder, cache, texts)
    assert (first.hits, second.hits) == (0, 4)
    np.testing.assert_array_equal(first.vectors, second.vectors)
    np.testing.assert_allclose(first.vectors, embedder.encode(texts), atol=1e-3)


def test_only_new_texts_are_embedded_and_each_once(embedder: Embedder, cache: VectorCache) -> None:
    encode_cached(embedder, cache, ["one"])
    result = encode_cached(embedder, cache, ["two", "one", "two"])
    assert result.hits == 1
    assert len(cache) == 2
    np.testing.assert_allclose(result.vectors, embedder.encode(["two", "one", "two"]), atol=1e-3)


def test_an_empty_chunk_gives_an_empty_matrix(embedder: Embedder, cache: VectorCache) -> None:
    assert encode_cached(embedder, cache, []).vectors.shape == (0, embedder.dimension)
