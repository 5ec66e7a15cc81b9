"""The vectors between the embed and the route stage: float16 in Redis, by chunk and epoch, for an hour."""

from __future__ import annotations

import struct

import numpy as np
import numpy.typing as npt
from redis import Redis

TTL_S = 3600
#: rows, columns, and the first bytes of the embedder's fingerprint
_HEADER = struct.Struct("<II8s")


class VectorStore:
    """The keys `vec:<chunk id>:<epoch>`; if one is lost, its chunk is embedded again from the cache."""

    def __init__(self, client: Redis) -> None:
        self._client = client

    def put(self, chunk_id: int, epoch: int, vectors: npt.NDArray[np.float32], fingerprint: str) -> None:
        """Store float32 [n, d] vectors as float16, with the fingerprint (hex) of their embedder."""
        payload = _HEADER.pack(*vectors.shape, _short(fingerprint)) + vectors.astype("<f2").tobytes()
        self._client.set(_key(chunk_id, epoch), payload, ex=TTL_S)

    def get(self, chunk_id: int, epoch: int, fingerprint: str) -> npt.NDArray[np.float32] | None:
        """Return the vectors as float32 [n, d]; None if they are lost, damaged or of another embedder."""
        payload = self._client.get(_key(chunk_id, epoch))
        if not isinstance(payload, bytes) or len(payload) < _HEADER.size:
            return None
        rows, columns, embedder = _HEADER.unpack_from(payload)
        if len(payload) != _HEADER.size + 2 * rows * columns or embedder != _short(fingerprint):
            return None
        halves = np.frombuffer(payload, dtype="<f2", offset=_HEADER.size)
        return halves.astype(np.float32).reshape(rows, columns)

    def drop(self, chunk_id: int, epoch: int) -> None:
        """Delete the vectors of a routed chunk."""
        self._client.delete(_key(chunk_id, epoch))


def _key(chunk_id: int, epoch: int) -> str:
    return f"vec:{chunk_id}:{epoch}"


def _short(fingerprint: str) -> bytes:
    return bytes.fromhex(fingerprint)[:8]
