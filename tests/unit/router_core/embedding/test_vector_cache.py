"""The vector cache in a real directory, shared by real processes."""

import logging
import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router_core.embedding.vector_cache import VectorCache, text_key
from router_core.embedding.vector_compaction import FANOUT, eviction, merge_group
from router_core.errors import CacheDirectoryError

D = 24


def _keys(start: int, stop: int) -> list[bytes]:
    return [text_key(f"prompt {number}") for number in range(start, stop)]


def _vectors(start: int, stop: int) -> npt.NDArray[np.float32]:
    """Unit vectors that depend on their number alone."""
    angles = np.arange(start, stop)[:, None] * np.linspace(0.1, 1.7, D)
    vectors = np.cos(angles).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _open(directory: Path, **options: int) -> VectorCache:
    return VectorCache(directory, fingerprint="embedder one", dimension=D, **options)


def _segments(directory: Path) -> list[Path]:
    return sorted(directory.rglob("*.vectors"))


def test_what_was_put_is_found_after_a_restart_rounded_to_float16(tmp_path: Path) -> None:
    cache = _open(tmp_path)
    cache.put(_keys(0, 300), _vectors(0, 300))
    cache.close()
    found, vectors = _open(tmp_path).get(_keys(0, 300))
    assert found.all()
    np.testing.assert_array_equal(vectors, _vectors(0, 300).astype(np.float16).astype(np.float32))
    assert ((vectors * _vectors(0, 300)).sum(axis=1) > 1 - 1e-3).all()


def test_ties_are_rounded_to_float16_as_numpy_rounds_them(tmp_path: Path) -> None:
    cache = _open(tmp_path)
    halfway = np.full((1, D), 0.5 + 2**-12, dtype=np.float32)
    cache.put(_keys(0, 1), halfway)
    np.testing.assert_array_equal(cache.get(_keys(0, 1))[1], halfway.astype(np.float16))


def test_missing_keys_are_told_apart_and_counted(tmp_path: Path) -> None:
    cache = _open(tmp_path)
    cache.put(_keys(0, 10), _vectors(0, 10))
    found, vectors = cache.get(_keys(5, 15))
    assert found.tolist() == [True] * 5 + [False] * 5
    assert not vectors[5:].any()
    assert (cache.hits, cache.misses) == (5, 5)


def test_no_keys_give_empty_arrays(tmp_path: Path) -> None:
    cache = _open(tmp_path)
    cache.put([], np.empty((0, D), dtype=np.float32))
    found, vectors = cache.get([])
    assert found.shape == (0,)
    assert vectors.shape == (0, D)


def test_keys_that_end_or_begin_with_nul_bytes_stay_distinct(tmp_path: Path) -> None:
    keys = [bytes(16), b"a" + bytes(15), bytes(15) + b"a", b"a" * 16]
    cache = _open(tmp_path)
    cache.put(keys[:3], _vectors(0, 3))
    found, vectors = cache.get(keys)
    assert found.tolist() == [True, True, True, False]
    np.testing.assert_allclose(vectors[:3], _vectors(0, 3), atol=1e-3)


def test_a_key_given_twice_is_stored_once(tmp_path: Path) -> None:
    cache = _open(tmp_path)
    cache.put(_keys(0, 3) * 2, np.concatenate([_vectors(0, 3)] * 2))
    cache.put(_keys(0, 5), _vectors(0, 5))
    assert len(cache) == 5


def test_another_instance_sees_what_was_put_since_it_was_opened(tmp_path: Path) -> None:
    reader, writer = _open(tmp_path), _open(tmp_path)
    writer.put(_keys(0, 4), _vectors(0, 4))
    assert reader.get(_keys(0, 4))[0].all()


def test_two_embedders_side_by_side_do_not_mix(tmp_path: Path) -> None:
    one = _open(tmp_path)
    two = VectorCache(tmp_path, fingerprint="embedder two", dimension=8)
    one.put(_keys(0, 4), _vectors(0, 4))
    assert not two.get(_keys(0, 4))[0].any()
    assert len(two) == 0
    assert len(one) == 4


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def _cut_in_the_header(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:20])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _flip_a_bit_in_the_keys(path: Path) -> None:
    _flip(path, 125)


def _flip_a_bit_in_the_index(path: Path) -> None:
    _flip(path, -10)


def _flip_a_bit_in_the_count(path: Path) -> None:
    _flip(path, 48)


def _flip(path: Path, position: int) -> None:
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)


def _swap_for_another_embedders(path: Path) -> None:
    other = VectorCache(path.parent.parent / "other", fingerprint="embedder two", dimension=D)
    other.put(_keys(0, 20), _vectors(5, 25))
    _segments(path.parent.parent / "other")[0].rename(path)


DAMAGES = [
    _truncate,
    _cut_in_the_header,
    _empty,
    _flip_a_bit_in_the_keys,
    _flip_a_bit_in_the_index,
    _flip_a_bit_in_the_count,
    _swap_for_another_embedders,
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_dropped_with_a_warning_and_the_rest_stays(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: Callable[[Path], None]
) -> None:
    cache = _open(tmp_path)
    cache.put(_keys(0, 20), _vectors(0, 20))
    cache.put(_keys(20, 40), _vectors(20, 40))
    damaged = _segments(tmp_path)[0]
    damage(damaged)
    with caplog.at_level(logging.WARNING):
        reopened = _open(tmp_path)
        found, vectors = reopened.get(_keys(0, 40))
    assert found.tolist() == [False] * 20 + [True] * 20
    np.testing.assert_allclose(vectors[20:], _vectors(20, 40), atol=1e-3)
    assert damaged.name in caplog.text
    assert not damaged.exists()
    reopened.put(_keys(0, 20), _vectors(0, 20))
    assert reopened.get(_keys(0, 40))[0].all()


def test_a_file_damaged_before_a_merge_costs_only_its_own_vectors(tmp_path: Path) -> None:
    cache = _open(tmp_path)
    for start in range(0, 70, 10):
        cache.put(_keys(start, start + 10), _vectors(start, start + 10))
    _flip_a_bit_in_the_index(_segments(tmp_path)[2])
    reopened = _open(tmp_path)
    reopened.put(_keys(70, 80), _vectors(70, 80))
    assert len(_segments(tmp_path)) == 1
    assert reopened.get(_keys(0, 80))[0].sum() == 70


def test_links_and_pipes_among_its_files_are_dropped_and_not_followed(tmp_path: Path) -> None:
    _open(tmp_path / "elsewhere").put(_keys(0, 3), _vectors(0, 3))
    [there] = _segments(tmp_path / "elsewhere")
    cache = _open(tmp_path / "cache")
    folder = next((tmp_path / "cache").iterdir())
    (folder / "1-link.vectors").symlink_to(there)
    os.mkfifo(folder / "2-pipe.vectors")
    found, _ = cache.get(_keys(0, 3))
    assert not found.any()
    assert _segments(tmp_path / "cache") == []
    assert there.exists()


def test_a_temporary_file_left_by_a_crash_is_removed(tmp_path: Path) -> None:
    cache = _open(tmp_path)
    cache.put(_keys(0, 5), _vectors(0, 5))
    leftover = _segments(tmp_path)[0].with_suffix(".tmp")
    leftover.write_bytes(b"half a segment")
    assert _open(tmp_path).get(_keys(0, 5))[0].all()
    assert not leftover.exists()


def test_many_small_puts_leave_few_files_and_every_vector(tmp_path: Path) -> None:
    cache = _open(tmp_path)
    for start in range(0, 600, 3):
        cache.put(_keys(start, start + 3), _vectors(start, start + 3))
    assert len(_segments(tmp_path)) < 4 * FANOUT
    found, vectors = cache.get(_keys(0, 600))
    assert found.all()
    np.testing.assert_allclose(vectors, _vectors(0, 600), atol=1e-3)
    assert len(cache) == 600


def test_a_full_cache_drops_its_oldest_vectors(tmp_path: Path) -> None:
    cache = _open(tmp_path, max_vectors=100)
    for start in range(0, 300, 10):
        cache.put(_keys(start, start + 10), _vectors(start, start + 10))
    assert 80 <= len(cache) <= 100
    assert cache.get(_keys(280, 300))[0].all()
    assert not cache.get(_keys(0, 100))[0].any()


def test_a_cache_cleared_under_a_running_worker_starts_over(tmp_path: Path) -> None:
    cache = _open(tmp_path / "cache")
    cache.put(_keys(0, 5), _vectors(0, 5))
    (tmp_path / "cache").rename(tmp_path / "gone")
    assert not cache.get(_keys(0, 5))[0].any()
    cache.put(_keys(0, 5), _vectors(0, 5))
    assert cache.get(_keys(0, 5))[0].all()


def test_a_failing_disk_is_a_warning_as_the_caller_still_has_the_vectors(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache = _open(tmp_path / "cache")
    (tmp_path / "cache").rename(tmp_path / "gone")
    (tmp_path / "cache").write_text("a file where the directory was")
    with caplog.at_level(logging.WARNING):
        cache.put(_keys(0, 5), _vectors(0, 5))
    assert "cannot write" in caplog.text


def test_a_segment_shows_only_when_it_is_whole(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(source: Path, target: Path) -> Path:
        raise OSError("No space left on device")

    cache = _open(tmp_path)
    monkeypatch.setattr(Path, "replace", fail)
    with caplog.at_level(logging.WARNING):
        cache.put(_keys(0, 5), _vectors(0, 5))
    assert "No space left" in caplog.text
    assert not _segments(tmp_path)
    assert list(tmp_path.rglob("*.tmp")) == []


def test_a_directory_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CacheDirectoryError, match="file"):
        _open(tmp_path / "file")


def test_vectors_that_do_not_match_their_keys_are_refused(tmp_path: Path) -> None:
    cache = _open(tmp_path)
    with pytest.raises(ValueError, match="shape"):
        cache.put(_keys(0, 3), _vectors(0, 2))
    with pytest.raises(ValueError, match="16 bytes"):
        cache.get([b"short"])


def test_text_keys_are_16_bytes_and_accept_lone_surrogates() -> None:
    texts = ["", "a", "\ud800", "\ud801", "é"]
    assert {len(text_key(text)) for text in texts} == {16}
    assert len({text_key(text) for text in texts}) == len(texts)


def _work(directory: Path, worker: int) -> None:
    """Put and get keys: half of them are only this worker's, half are shared by all workers."""
    cache = _open(directory)
    for start in range(0, 200, 5):
        own = worker * 1000 + start
        for first in (own, 50_000 + start):
            cache.put(_keys(first, first + 5), _vectors(first, first + 5))
            found, vectors = cache.get(_keys(first, first + 5))
            np.testing.assert_allclose(vectors[found], _vectors(first, first + 5)[found], atol=1e-3)


def test_processes_that_write_and_read_at_once_lose_nothing(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_work, args=(tmp_path, worker)) for worker in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(400)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    cache = _open(tmp_path)
    for first in (0, 1000, 2000, 50_000):
        found, vectors = cache.get(_keys(first, first + 200))
        assert found.all()
        np.testing.assert_allclose(vectors, _vectors(first, first + 200), atol=1e-3)
    assert len(_segments(tmp_path)) < 5 * FANOUT
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
