"""One immutable file of the vector cache: sorted keys and a FAISS index of their vectors.

    magic 8 | SHA-256 of the fingerprint 32 | dimension u32 | padding 4 | count u64
    | SHA-256 of the keys 32 | SHA-256 of the index 32
    | keys, count x 16, ascending | FAISS index: IndexScalarQuantizer, float16

The keys are checked when the segment is opened, the index when a vector is first read, so that opening a
large cache takes only milliseconds. FAISS parses files without bounds checks (faiss issue 5400), so it is
only given bytes whose checksum was verified.
"""

from __future__ import annotations

import hashlib
import mmap
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from router_core.regular_files import NotRegularFileError, is_symbolic_link, open_regular_file

KEY_BYTES = 16
KEY_DTYPE = np.dtype(f"S{KEY_BYTES}")

_MAGIC = b"WBVEC\x00\x001"
_HEADER = struct.Struct("<8s32sI4xQ32s32s")


class DamagedSegmentError(Exception):
    """The file is not a complete segment of this cache. `VectorCache` catches it and deletes the file."""


def pack_segment(fingerprint: str, keys: npt.NDArray[np.bytes_], vectors: npt.NDArray[np.float32]) -> bytes:
    """Return the bytes of a segment; `keys` [n] must be ascending and unique, `vectors` is [n, d]."""
    key_bytes, index = keys.tobytes(), _pack_index(vectors)
    header = _HEADER.pack(
        _MAGIC, _sha256(fingerprint.encode()), vectors.shape[1], len(keys), _sha256(key_bytes), _sha256(index)
    )
    return b"".join((header, key_bytes, index))


def key_array(keys: Sequence[bytes]) -> npt.NDArray[np.bytes_]:
    """Return keys as an array of KEY_DTYPE; raises ValueError for one of another length."""
    if any(len(key) != KEY_BYTES for key in keys):
        raise ValueError(f"a key has {KEY_BYTES} bytes; make it with text_key")
    return np.frombuffer(b"".join(keys), dtype=KEY_DTYPE)


def round_to_float16(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return vectors rounded to float16 as numpy rounds them; FAISS alone rounds ties the other way."""
    return vectors.astype(np.float16).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Segment:
    """A segment, mapped into memory so that the processes of a host share its pages."""

    path: Path
    keys: npt.NDArray[np.bytes_]
    _dimension: int
    _index_sha256: bytes
    _index_bytes: npt.NDArray[np.uint8] = field(repr=False)

    @classmethod
    def open(cls, path: Path, *, fingerprint: str, dimension: int) -> Segment:
        """Map a file and check its header and keys.

        Raises:
            DamagedSegmentError: The file is truncated, altered, or belongs to another embedder.
            FileNotFoundError: It was merged or deleted in the meantime.
        """
        data = _map(path)
        count, keys_sha256, index_sha256 = _read_header(data, fingerprint, dimension)
        index_at = _HEADER.size + count * KEY_BYTES
        key_bytes = data[_HEADER.size : index_at]
        _check(key_bytes, keys_sha256, "its keys")
        return cls(path, key_bytes.view(KEY_DTYPE), dimension, index_sha256, data[index_at:])

    def find(self, keys: npt.NDArray[np.bytes_]) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
        """Return which of the keys [n] are in the segment, and their rows (arbitrary where they are not)."""
        rows = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return self.keys[rows] == keys, rows

    def read(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Return the vectors of these rows, float32 [len(rows), dimension].

        Raises:
            DamagedSegmentError: The index was altered.
        """
        vectors: npt.NDArray[np.float32] = self._index.reconstruct_batch(rows)
        return vectors

    @cached_property
    def _index(self) -> Any:
        import faiss

        _check(self._index_bytes, self._index_sha256, "its index")
        index = faiss.read_index(
            faiss.ZeroCopyIOReader(  # type: ignore[attr-defined]  # missing from the stubs of faiss
                faiss.swig_ptr(self._index_bytes), self._index_bytes.nbytes
            )
        )
        if (index.d, index.ntotal) != (self._dimension, len(self.keys)):
            raise DamagedSegmentError("its index does not match its keys")
        return index


def _pack_index(vectors: npt.NDArray[np.float32]) -> bytes:
    import faiss

    index = faiss.IndexScalarQuantizer(
        vectors.shape[1], faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
    )
    index.add(vectors)
    return bytes(faiss.serialize_index(index))


def _map(path: Path) -> npt.NDArray[np.uint8]:
    """Return the bytes of a file, mapped into memory."""
    try:
        file = open_regular_file(path)
    except NotRegularFileError:
        raise DamagedSegmentError("it is not a regular file") from None
    except OSError as error:
        if is_symbolic_link(error):
            raise DamagedSegmentError("it is a symbolic link") from None
        raise
    with file:
        try:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError as error:  # an empty file cannot be mapped
            raise DamagedSegmentError("it is empty") from error
    return np.frombuffer(mapped, dtype=np.uint8)


def _read_header(data: npt.NDArray[np.uint8], fingerprint: str, dimension: int) -> tuple[int, bytes, bytes]:
    """Return the number of keys, their checksum and that of the index."""
    if len(data) < _HEADER.size:
        raise DamagedSegmentError("it is shorter than a header")
    magic, owner, d, count, keys_sha256, index_sha256 = _HEADER.unpack_from(data.data)
    if (magic, owner, d) != (_MAGIC, _sha256(fingerprint.encode()), dimension):
        raise DamagedSegmentError("it belongs to another embedder or format")
    return count, keys_sha256, index_sha256


def _check(data: npt.NDArray[np.uint8], expected: bytes, what: str) -> None:
    if _sha256(data.data) != expected:
        raise DamagedSegmentError(f"{what} do not match the checksum")


def _sha256(data: bytes | memoryview) -> bytes:
    return hashlib.sha256(data).digest()
