"""Files of the vector cache that are damaged, foreign or left by a crash cost only their own vectors."""

import logging
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from router_core.embedding.vector_cache import VectorCache
from tests.support.vector_caches import D, numbered_keys, numbered_vectors, open_cache, segments_in


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
    other.put(numbered_keys(0, 20), numbered_vectors(5, 25))
    segments_in(path.parent.parent / "other")[0].rename(path)


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
    cache = open_cache(tmp_path)
    cache.put(numbered_keys(0, 20), numbered_vectors(0, 20))
    cache.put(numbered_keys(20, 40), numbered_vectors(20, 40))
    damaged = segments_in(tmp_path)[0]
    damage(damaged)
    with caplog.at_level(logging.WARNING):
        reopened = open_cache(tmp_path)
        found, vectors = reopened.get(numbered_keys(0, 40))
    assert found.tolist() == [False] * 20 + [True] * 20
    np.testing.assert_allclose(vectors[20:], numbered_vectors(20, 40), atol=1e-3)
    assert damaged.name in caplog.text
    assert not damaged.exists()
    reopened.put(numbered_keys(0, 20), numbered_vectors(0, 20))
    assert reopened.get(numbered_keys(0, 40))[0].all()


def test_a_file_damaged_before_a_merge_costs_only_its_own_vectors(tmp_path: Path) -> None:
    cache = open_cache(tmp_path)
    for start in range(0, 70, 10):
        cache.put(numbered_keys(start, start + 10), numbered_vectors(start, start + 10))
    _flip_a_bit_in_the_index(segments_in(tmp_path)[2])
    reopened = open_cache(tmp_path)
    reopened.put(numbered_keys(70, 80), numbered_vectors(70, 80))
    assert len(segments_in(tmp_path)) == 1
    assert reopened.get(numbered_keys(0, 80))[0].sum() == 70


def test_links_and_pipes_among_its_files_are_dropped_and_not_followed(tmp_path: Path) -> None:
    open_cache(tmp_path / "elsewhere").put(numbered_keys(0, 3), numbered_vectors(0, 3))
    [there] = segments_in(tmp_path / "elsewhere")
    cache = open_cache(tmp_path / "cache")
    folder = next((tmp_path / "cache").iterdir())
    (folder / "1-link.vectors").symlink_to(there)
    os.mkfifo(folder / "2-pipe.vectors")
    found, _ = cache.get(numbered_keys(0, 3))
    assert not found.any()
    assert segments_in(tmp_path / "cache") == []
    assert there.exists()


def test_a_temporary_file_left_by_a_crash_is_removed(tmp_path: Path) -> None:
    cache = open_cache(tmp_path)
    cache.put(numbered_keys(0, 5), numbered_vectors(0, 5))
    leftover = segments_in(tmp_path)[0].with_suffix(".tmp")
    leftover.write_bytes(b"half a segment")
    assert open_cache(tmp_path).get(numbered_keys(0, 5))[0].all()
    assert not leftover.exists()
