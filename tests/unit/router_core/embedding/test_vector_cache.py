"""The vector cache in a real directory, shared by real processes."""

import logging
import multiprocessing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router_core.embedding.vector_cache import VectorCache, text_key
from router_core.embedding.vector_compaction import FANOUT, eviction, merge_group
from router_core.errors import CacheDirectoryError
from tests.support.vector_caches import D, numbered_keys, numbered_vectors, open_cache, segments_in


def test_what_was_put_is_found_after_a_restart_rounded_to_float16(tmp_path: Path) -> None:
    cache = open_cache(tmp_path)
    cache.put(numbered_keys(0, 300), numbered_vectors(0, 300))
    cache.close()
    found, vectors = open_cache(tmp_path).get(numbered_keys(0, 300))
    assert found.all()
    np.testing.assert_array_equal(vectors, numbered_vectors(0, 300).astype(np.float16).astype(np.float32))
    assert ((vectors * numbered_vectors(0, 300)).sum(axis=1) > 1 - 1e-3).all()


def test_ties_are_rounded_to_float16_as_numpy_rounds_them(tmp_path: Path) -> None:
    cache = open_cache(tmp_path)
    halfway = np.full((1, D), 0.5 + 2**-12, dtype=np.float32)
    cache.put(numbered_keys(0, 1), halfway)
    np.testing.assert_array_equal(cache.get(numbered_keys(0, 1))[1], halfway.astype(np.float16))


def test_missing_keys_are_told_apart_and_counted(tmp_path: Path) -> None:
    cache = open_cache(tmp_path)
    cache.put(numbered_keys(0, 10), numbered_vectors(0, 10))
    found, vectors = cache.get(numbered_keys(5, 15))
    assert found.tolist() == [True] * 5 + [False] * 5
    assert not vectors[5:].any()
    assert (cache.hits, cache.misses) == (5, 5)


def test_no_keys_give_empty_arrays(tmp_path: Path) -> None:
    cache = open_cache(tmp_path)
    cache.put([], np.empty((0, D), dtype=np.float32))
    found, vectors = cache.get([])
    assert found.shape == (0,)
    assert vectors.shape == (0, D)


def test_keys_that_end_or_begin_with_nul_bytes_stay_distinct(tmp_path: Path) -> None:
    keys = [bytes(16), b"a" + bytes(15), bytes(15) + b"a", b"a" * 16]
    cache = open_cache(tmp_path)
    cache.put(keys[:3], numbered_vectors(0, 3))
    found, vectors = cache.get(keys)
    assert found.tolist() == [True, True, True, False]
    np.testing.assert_allclose(vectors[:3], numbered_vectors(0, 3), atol=1e-3)


def test_a_key_given_twice_is_stored_once(tmp_path: Path) -> None:
    cache = open_cache(tmp_path)
    cache.put(numbered_keys(0, 3) * 2, np.concatenate([numbered_vectors(0, 3)] * 2))
    cache.put(numbered_keys(0, 5), numbered_vectors(0, 5))
    assert len(cache) == 5


def test_another_instance_sees_what_was_put_since_it_was_opened(tmp_path: Path) -> None:
    reader, writer = open_cache(tmp_path), open_cache(tmp_path)
    writer.put(numbered_keys(0, 4), numbered_vectors(0, 4))
    assert reader.get(numbered_keys(0, 4))[0].all()


def test_two_embedders_side_by_side_do_not_mix(tmp_path: Path) -> None:
    one = open_cache(tmp_path)
    two = VectorCache(tmp_path, fingerprint="embedder two", dimension=8)
    one.put(numbered_keys(0, 4), numbered_vectors(0, 4))
    assert not two.get(numbered_keys(0, 4))[0].any()
    assert len(two) == 0
    assert len(one) == 4


def test_many_small_puts_leave_few_files_and_every_vector(tmp_path: Path) -> None:
    cache = open_cache(tmp_path)
    for start in range(0, 600, 3):
        cache.put(numbered_keys(start, start + 3), numbered_vectors(start, start + 3))
    assert len(segments_in(tmp_path)) < 4 * FANOUT
    found, vectors = cache.get(numbered_keys(0, 600))
    assert found.all()
    np.testing.assert_allclose(vectors, numbered_vectors(0, 600), atol=1e-3)
    assert len(cache) == 600


def test_a_full_cache_drops_its_oldest_vectors(tmp_path: Path) -> None:
    cache = open_cache(tmp_path, max_vectors=100)
    for start in range(0, 300, 10):
        cache.put(numbered_keys(start, start + 10), numbered_vectors(start, start + 10))
    assert 80 <= len(cache) <= 100
    assert cache.get(numbered_keys(280, 300))[0].all()
    assert not cache.get(numbered_keys(0, 100))[0].any()


def test_a_cache_cleared_under_a_running_worker_starts_over(tmp_path: Path) -> None:
    cache = open_cache(tmp_path / "cache")
    cache.put(numbered_keys(0, 5), numbered_vectors(0, 5))
    (tmp_path / "cache").rename(tmp_path / "gone")
    assert not cache.get(numbered_keys(0, 5))[0].any()
    cache.put(numbered_keys(0, 5), numbered_vectors(0, 5))
    assert cache.get(numbered_keys(0, 5))[0].all()


def test_a_failing_disk_is_a_warning_as_the_caller_still_has_the_vectors(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache = open_cache(tmp_path / "cache")
    (tmp_path / "cache").rename(tmp_path / "gone")
    (tmp_path / "cache").write_text("a file where the directory was")
    with caplog.at_level(logging.WARNING):
        cache.put(numbered_keys(0, 5), numbered_vectors(0, 5))
    assert "cannot write" in caplog.text


def test_a_segment_shows_only_when_it_is_whole(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(source: Path, target: Path) -> Path:
        raise OSError("No space left on device")

    cache = open_cache(tmp_path)
    monkeypatch.setattr(Path, "replace", fail)
    with caplog.at_level(logging.WARNING):
        cache.put(numbered_keys(0, 5), numbered_vectors(0, 5))
    assert "No space left" in caplog.text
    assert not segments_in(tmp_path)
    assert list(tmp_path.rglob("*.tmp")) == []


def test_a_directory_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CacheDirectoryError, match="file"):
        open_cache(tmp_path / "file")


def test_vectors_that_do_not_match_their_keys_are_refused(tmp_path: Path) -> None:
    cache = open_cache(tmp_path)
    with pytest.raises(ValueError, match="shape"):
        cache.put(numbered_keys(0, 3), numbered_vectors(0, 2))
    with pytest.raises(ValueError, match="16 bytes"):
        cache.get([b"short"])


def test_text_keys_are_16_bytes_and_accept_lone_surrogates() -> None:
    texts = ["", "a", "\ud800", "\ud801", "é"]
    assert {len(text_key(text)) for text in texts} == {16}
    assert len({text_key(text) for text in texts}) == len(texts)


def _work(directory: Path, worker: int) -> None:
    """Put and get keys: half of them are only this worker's, half are shared by all workers."""
    cache = open_cache(directory)
    for start in range(0, 200, 5):
        own = worker * 1000 + start
        for first in (own, 50_000 + start):
            cache.put(numbered_keys(first, first + 5), numbered_vectors(first, first + 5))
            found, vectors = cache.get(numbered_keys(first, first + 5))
            np.testing.assert_allclose(vectors[found], numbered_vectors(first, first + 5)[found], atol=1e-3)


def test_processes_that_write_and_read_at_once_lose_nothing(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_work, args=(tmp_path, worker)) for worker in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(400)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    cache = open_cache(tmp_path)
    for first in (0, 1000, 2000, 50_000):
        found, vectors = cache.get(numbered_keys(first, first + 200))
        assert found.all()
        np.testing.assert_allclose(vectors, numbered_vectors(first, first + 200), atol=1e-3)
    assert len(segments_in(tmp_path)) < 5 * FANOUT
    assert list(tmp_path.rglob("*.tmp")) == []


@given(st.lists(st.integers(1, 5000), max_size=80), st.integers(100, 20_000))
def test_merging_ends_with_few_segments_none_above_its_share(sizes: list[int], max_vectors: int) -> None:
    left = {f"{number:05d}": size for number, size in enumerate(sizes)}
    while group := merge_group(left, max_vectors=max_vectors):
        merged = sum(left.pop(name) for name in group)
        assert merged <= max_vectors // FANOUT
        left[max(group)] = merged
    for name in eviction(dict(sorted(left.items())), max_vectors=max_vectors):
        del left[name]
    assert sum(left.values()) <= max_vectors or len(left) == 1
    assert len(left) <= 80


def test_eviction_takes_the_oldest_and_spares_the_newest() -> None:
    assert eviction({"1": 5, "2": 5, "3": 5}, max_vectors=10) == ["1"]
    assert eviction({"1": 5, "2": 50}, max_vectors=10) == ["1"]
    assert eviction({"1": 5}, max_vectors=10) == []
