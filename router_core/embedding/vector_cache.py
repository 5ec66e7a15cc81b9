"""A cache of embedding vectors on disk, shared by the worker processes of a host.

Every `put` writes one immutable segment (temporary file, fsync, rename), so that readers need no
lock and a crash leaves either a whole segment or a temporary file. Small segments are merged in
tiers, which bounds their number and rewrites a vector only log(n) times. Writers hold the lock
file shared and merging holds it alone, hence a temporary file seen while merging is a leftover.

A damaged file costs its vectors and a warning, never an error: they are embedded again.
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
    KEY_DTYPE,
    DamagedSegmentError,
    Segment,
    pack_segment,
)
from router_core.errors import CacheDirectoryError

logger = logging.getLogger(__name__)

_SUFFIX, _TEMPORARY_SUFFIX, _LOCK = ".vectors", ".tmp", "lock"


def text_key(text: str) -> bytes:
    """Return the cache key of a text: the 16-byte BLAKE2b of its UTF-8, lone surrogates allowed."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=KEY_BYTES).digest()


class VectorCache:
    """Vectors by text key, for one embedder. Use one instance per process and thread.

    Vectors are held as float16: `get` returns the float16 rounding of what was `put`.

    Attributes:
        hits: keys that `get` found since this instance was made.
        misses: keys that it did not find.
    """

    def __init__(
        self, directory: Path, *, fingerprint: str, dimension: int, max_vectors: int = 1_000_000
    ) -> None:
        """Open or create the cache of the embedder with this fingerprint under `directory`.

        Args:
            directory: may be shared by several embedders; each gets a folder of its own.
            fingerprint: identity of the embedder (`Embedder.fingerprint`).
            dimension: length of its vectors.
            max_vectors: above it, the oldest segments are dropped.

        Raises:
            CacheDirectoryError: the directory cannot be made or written to.
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
        """Vectors in it; one that two processes wrote at once counts twice until merged."""
        self.refresh()
        return sum(len(segment.keys) for segment in self._segments.values())

    def get(self, keys: Sequence[bytes]) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float32]]:
        """Look keys up, in what other processes have written so far too.

        Returns:
            found, bool [n], and vectors, float32 [n, dimension], with zeros where not found.
        """
        wanted = _key_array(keys)
        self.refresh()
        found = np.zeros(len(wanted), dtype=np.bool_)
        vectors = np.zeros((len(wanted), self._dimension), dtype=np.float32)
        for segment in list(self._segments.values()):
            self._read_from(segment, wanted, found, vectors)
        self.hits += int(found.sum())
        self.misses += int((~found).sum())
        return found, vectors

    def put(self, keys: Sequence[bytes], vectors: npt.NDArray[np.float32]) -> None:
        """Store vectors [n, dimension] durably under keys [n]; keys already stored are left alone.

        A full or failing disk loses the vectors with a warning, as the caller still has them.

        Raises:
            ValueError: keys and vectors do not match each other or the cache.
        """
        wanted = _key_array(keys)
        if vectors.shape != (len(wanted), self._dimension):
            raise ValueError(f"{len(wanted)} keys need vectors of shape ({len(wanted)}, {self._dimension})")
        unique, rows = np.unique(wanted, return_index=True)
        self.refresh()
        new = ~self._holds(unique)
        try:
            if new.any():
                self._write_new(unique[new], round_to_float16(vectors[rows[new]]))
        except OSError as error:
            logger.warning("vector cache %s: cannot write, vectors not kept: %s", self._folder, error)

    def refresh(self) -> None:
        """Take in the segments that other processes wrote, and let go of those they merged away."""
        names = self._names()
        self._segments = {name: self._segments[name] for name in names if name in self._segments}
        for name in names:
            if name not in self._segments:
                self._open(name)

    def close(self) -> None:
        """Unmap the files. Every `put` is on disk already, so that nothing is flushed."""
        self._segments.clear()

    def _names(self) -> list[str]:
        """Names of the segments, oldest first: they begin with the time of writing."""
        try:
            return sorted(name for name in os.listdir(self._folder) if name.endswith(_SUFFIX))
        except (FileNotFoundError, NotADirectoryError):  # cleared by somebody; the next put makes it anew
            return []

    def _open(self, name: str) -> None:
        path = self._folder / name
        try:
            self._segments[name] = Segment.open(
                path, fingerprint=self._fingerprint, dimension=self._dimension
            )
        except FileNotFoundError:
            pass  # merged away since it was listed; the merged segment is found at the next refresh
        except DamagedSegmentError as error:
            self._drop_damaged(name, error)
        except OSError as error:  # too many open files, say: no reason to delete it
            logger.warning("vector cache: cannot open %s: %s", path, error)

    def _drop_damaged(self, name: str, reason: Exception) -> None:
        logger.warning("vector cache: dropping %s: %s", self._folder / name, reason)
        self._segments.pop(name, None)
        with suppress(OSError):
            (self._folder / name).unlink()

    def _read_from(
        self,
        segment: Segment,
        wanted: npt.NDArray[np.bytes_],
        found: npt.NDArray[np.bool_],
        vectors: npt.NDArray[np.float32],
    ) -> None:
        """Fill in what the segment holds of the keys not found yet."""
        missing = np.flatnonzero(~found)
        held, rows = segment.find(wanted[missing])
        if not held.any():
            return
        try:
            vectors[missing[held]] = segment.read(rows[held])
            found[missing[held]] = True
        except DamagedSegmentError as error:
            self._drop_damaged(segment.path.name, error)

    def _holds(self, keys: npt.NDArray[np.bytes_]) -> npt.NDArray[np.bool_]:
        held = np.zeros(len(keys), dtype=np.bool_)
        for segment in self._segments.values():
            held |= segment.find(keys)[0]
        return held

    def _write_new(self, keys: npt.NDArray[np.bytes_], vectors: npt.NDArray[np.float32]) -> None:
        with self._lock(fcntl.LOCK_SH):
            self._write(f"{time.time_ns():020d}", keys, vectors)
        self.refresh()
        if self._merge_group() or self._eviction():
            self._maintain()

    def _write(self, age: str, keys: npt.NDArray[np.bytes_], vectors: npt.NDArray[np.float32]) -> None:
        name = f"{age}-{secrets.token_hex(4)}"
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
        """Remove leftovers, merge small segments and drop the oldest, as the only process to do so."""
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


def _key_array(keys: Sequence[bytes]) -> npt.NDArray[np.bytes_]:
    if any(len(key) != KEY_BYTES for key in keys):
        raise ValueError(f"a key has {KEY_BYTES} bytes; make it with text_key")
    return np.frombuffer(b"".join(keys), dtype=KEY_DTYPE)


def round_to_float16(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return vectors rounded to float16 as numpy rounds them; FAISS alone rounds ties the other way."""
    return vectors.astype(np.float16).astype(np.float32)
