"""A cache of embedding vectors on disk, shared by the worker processes of a host.

Every `put` writes one immutable segment (temporary file, fsync, rename). So readers need no lock, and a crash
leaves either a complete segment or a temporary file. Small segments are merged in tiers (as in a
log-structured merge-tree), which bounds their number and rewrites each vector only log(n) times. Writers hold
a shared lock and a merge holds an exclusive one; a temporary file that a merge finds is therefore a leftover.

A damaged file is deleted with a warning, never an error; its vectors are then computed again.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt

from router_core.embedding.vector_compaction import eviction, merge_group
from router_core.embedding.vector_segment import (
    KEY_BYTES,
    DamagedSegmentError,
    Segment,
    key_array,
    pack_segment,
    round_to_float16,
)
from router_core.errors import CacheDirectoryError

logger = logging.getLogger(__name__)

_SUFFIX, _TEMPORARY_SUFFIX, _LOCK = ".vectors", ".tmp", "lock"


def text_key(text: str) -> bytes:
    """Return the cache key of a text: the 16-byte BLAKE2b of its UTF-8; lone surrogates are allowed."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=KEY_BYTES).digest()


class VectorCache:
    """The vectors of one embedder by text key. Use one instance per process and thread.

    Vectors are stored as float16: `get` returns the float16 rounding of the vector that was `put`.

    Attributes:
        hits: The number of keys that `get` found since this instance was created.
        misses: The number of keys that `get` did not find.
    """

    def __init__(
        self, directory: Path, *, fingerprint: str, dimension: int, max_vectors: int = 1_000_000
    ) -> None:
        """Open or create the cache of the embedder with this fingerprint under `directory`.

        Args:
            directory: The parent folder; several embedders may share it, each has its own folder in it.
            fingerprint: The identity of the embedder (`Embedder.fingerprint`).
            dimension: The length of its vectors.
            max_vectors: With more vectors than this, the oldest segments are deleted.

        Raises:
            CacheDirectoryError: The directory cannot be created or written to.
        """
        self.hits = self.misses = 0
        self._fingerprint, self._dimension, self._max_vectors = fingerprint, dimension, max_vectors
        self._folder = directory / hashlib.sha256(fingerprint.encode()).hexdigest()[:32]
        self._segments: dict[str, Segment] = {}
        try:
            self._maintain()
        except OSError as error:
            raise CacheDirectoryError(f"{self._folder}: cannot be used as vector cache: {error}") from error

    def __len__(self) -> int:
        """Return the number of vectors; one that two processes wrote at once counts twice until merged."""
        self.refresh()
        return sum(len(segment.keys) for segment in self._segments.values())

    def get(self, keys: Sequence[bytes]) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float32]]:
        """Look up keys, also among the vectors that other processes have written so far.

        Returns:
            Which keys were found, bool [n], and their vectors, float32 [n, dimension], zero where not found.
        """
        queried = key_array(keys)
        self.refresh()
        found = np.zeros(len(queried), dtype=np.bool_)
        vectors = np.zeros((len(queried), self._dimension), dtype=np.float32)
        for segment in list(self._segments.values()):
            self._read_from(segment, queried, found, vectors)
        self.hits += int(found.sum())
        self.misses += int((~found).sum())
        return found, vectors

    def put(self, keys: Sequence[bytes], vectors: npt.NDArray[np.float32]) -> None:
        """Store vectors [n, dimension] durably under keys [n].

        A key that is stored already keeps its vector. If the disk is full or fails, nothing is stored and a
        warning is logged.

        Raises:
            ValueError: The shapes of keys and vectors do not match each other or the cache.
        """
        array = key_array(keys)
        n = len(array)
        if vectors.shape != (n, self._dimension):
            raise ValueError(f"{n} keys need vectors of shape ({n}, {self._dimension})")
        unique, rows = np.unique(array, return_index=True)
        self.refresh()
        new = ~self._contains(unique)
        try:
            if new.any():
                self._write_new(unique[new], round_to_float16(vectors[rows[new]]))
        except OSError as error:
            logger.warning("vector cache %s: cannot write, vectors not kept: %s", self._folder, error)

    def refresh(self) -> None:
        """Open the segments that other processes wrote, and close those that they merged or deleted."""
        names = self._names()
        self._segments = {name: self._segments[name] for name in names if name in self._segments}
        for name in names:
            if name not in self._segments:
                self._open(name)

    def close(self) -> None:
        """Unmap the files; nothing is flushed, as every `put` is on disk already."""
        self._segments.clear()

    def _names(self) -> list[str]:
        """Return the names of the segments, oldest first: they begin with the time of writing."""
        try:
            return sorted(name for name in os.listdir(self._folder) if name.endswith(_SUFFIX))
        except (FileNotFoundError, NotADirectoryError):  # deleted from outside; the next put creates it again
            return []

    def _open(self, name: str) -> None:
        path = self._folder / name
        try:
            self._segments[name] = Segment.open(
                path, fingerprint=self._fingerprint, dimension=self._dimension
            )
        except FileNotFoundError:
            pass  # merged since it was listed; the next refresh finds the merged segment
        except DamagedSegmentError as error:
            self._drop_damaged(name, error)
        except OSError as error:  # for example too many open files: no reason to delete the segment
            logger.warning("vector cache: cannot open %s: %s", path, error)

    def _drop_damaged(self, name: str, reason: Exception) -> None:
        logger.warning("vector cache: dropping %s: %s", self._folder / name, reason)
        self._segments.pop(name, None)
        with suppress(OSError):
            (self._folder / name).unlink()

    def _read_from(
        self,
        segment: Segment,
        queried: npt.NDArray[np.bytes_],
        found: npt.NDArray[np.bool_],
        vectors: npt.NDArray[np.float32],
    ) -> None:
        """Fill `found` and `vectors` for the keys that are in this segment and not found yet."""
        missing = np.flatnonzero(~found)
        present, rows = segment.find(queried[missing])
        if not present.any():
            return
        try:
            vectors[missing[present]] = segment.read(rows[present])
            found[missing[present]] = True
        except DamagedSegmentError as error:
            self._drop_damaged(segment.path.name, error)

    def _contains(self, keys: npt.NDArray[np.bytes_]) -> npt.NDArray[np.bool_]:
        present = np.zeros(len(keys), dtype=np.bool_)
        for segment in self._segments.values():
            present |= segment.find(keys)[0]
        return present

    def _write_new(self, keys: npt.NDArray[np.bytes_], vectors: npt.NDArray[np.float32]) -> None:
        with self._lock(fcntl.LOCK_SH):
            self._write(f"{time.time_ns():020d}", keys, vectors)
        self.refresh()
        if self._merge_group() or self._eviction():
            self._maintain()

    def _write(self, timestamp: str, keys: npt.NDArray[np.bytes_], vectors: npt.NDArray[np.float32]) -> None:
        name = f"{timestamp}-{secrets.token_hex(4)}"
        temporary = self._folder / (name + _TEMPORARY_SUFFIX)
        try:
            with temporary.open("xb") as file:
                file.write(pack_segment(self._fingerprint, keys, vectors))
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self._folder / (name + _SUFFIX))
        finally:
            temporary.unlink(missing_ok=True)

    def _maintain(self) -> None:
        """Under the exclusive lock, delete leftovers, merge small segments and delete the oldest."""
        with self._lock(fcntl.LOCK_EX):
            for leftover in self._folder.glob(f"*{_TEMPORARY_SUFFIX}"):
                leftover.unlink()
            self.refresh()
            while group := self._merge_group():
                self._merge(group)
            for name in self._eviction():
                (self._folder / name).unlink(missing_ok=True)
            self.refresh()

    def _merge(self, names: list[str]) -> None:
        keys, vectors = [], []
        for segment in [self._segments[name] for name in names]:
            try:
                vectors.append(segment.read(np.arange(len(segment.keys))))
                keys.append(segment.keys)
            except DamagedSegmentError as error:
                self._drop_damaged(segment.path.name, error)
        if keys:
            unique, rows = np.unique(np.concatenate(keys), return_index=True)
            self._write(max(names).split("-")[0], unique, np.concatenate(vectors)[rows])
        for name in names:
            (self._folder / name).unlink(missing_ok=True)
        self.refresh()

    def _merge_group(self) -> list[str]:
        return merge_group(self._sizes(), max_vectors=self._max_vectors)

    def _eviction(self) -> list[str]:
        return eviction(self._sizes(), max_vectors=self._max_vectors)

    def _sizes(self) -> dict[str, int]:
        return {name: len(self._segments[name].keys) for name in sorted(self._segments)}

    @contextmanager
    def _lock(self, mode: int) -> Iterator[None]:
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / _LOCK).open("ab") as file:
            fcntl.flock(file, mode)
            yield
