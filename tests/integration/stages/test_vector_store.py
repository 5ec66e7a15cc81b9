"""The vector store in Redis."""

import numpy as np
from redis import Redis

from tasks.stages.vector_store import VectorStore

EMBEDDER, OTHER = "ab" * 32, "cd" * 32


def test_vectors_come_back_as_they_were_put_to_half_precision(redis_url: str) -> None:
    vectors = np.random.default_rng(0).normal(size=(3, 8)).astype(np.float32)
    store = VectorStore(Redis.from_url(redis_url))
    store.put(1, 2, vectors, EMBEDDER)
    found = store.get(1, 2, EMBEDDER)
    assert found is not None
    np.testing.assert_array_equal(found, vectors.astype(np.float16).astype(np.float32))


def test_vectors_of_another_epoch_are_not_there(redis_url: str) -> None:
    store = VectorStore(Redis.from_url(redis_url))
    store.put(2, 1, np.ones((1, 4), dtype=np.float32), EMBEDDER)
    assert store.get(2, 2, EMBEDDER) is None


def test_vectors_expire(redis_url: str) -> None:
    client = Redis.from_url(redis_url)
    VectorStore(client).put(3, 1, np.ones((1, 4), dtype=np.float32), EMBEDDER)
    assert 0 < client.ttl("vec:3:1") <= 3600


def test_damaged_vectors_count_as_lost(redis_url: str) -> None:
    client = Redis.from_url(redis_url)
    store = VectorStore(client)
    store.put(4, 1, np.ones((2, 4), dtype=np.float32), EMBEDDER)
    whole = client.get("vec:4:1")
    assert isinstance(whole, bytes)
    for damaged in (whole[:-1], whole + b"x", b"", b"x"):
        client.set("vec:4:1", damaged)
        assert store.get(4, 1, EMBEDDER) is None


def test_dropped_vectors_are_gone(redis_url: str) -> None:
    store = VectorStore(Redis.from_url(redis_url))
    store.put(5, 1, np.ones((1, 4), dtype=np.float32), EMBEDDER)
    store.drop(5, 1)
    assert store.get(5, 1, EMBEDDER) is None


def test_vectors_of_another_embedder_are_not_there(redis_url: str) -> None:
    store = VectorStore(Redis.from_url(redis_url))
    store.put(6, 1, np.ones((1, 4), dtype=np.float32), OTHER)
    assert store.get(6, 1, EMBEDDER) is None
    assert store.get(6, 1, OTHER) is not None
