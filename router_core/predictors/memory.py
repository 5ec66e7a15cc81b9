"""The memory: labelled prompts in a FAISS index, asked for a wide neighbourhood (arXiv 2505.12601)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

NEIGHBOURS = 300
#: The neighbours' mean counts as this many neighbours on which nothing was added.
SHRINKAGE = 5.0
#: Prompts per search: bounds the memory that the neighbours' scores take.
_BLOCK = 512


@dataclass(frozen=True)
class Memory:
    """Representations of labelled prompts [N, k] and their additions [N, m], NaN where unknown."""

    points: Array
    additions: Array

    def predict(self, points: Array) -> Array:
        """Return the shrunken mean addition over each prompt's neighbours, float32 [n, m].

        A neighbour's weight falls with its squared distance, to 0 at the farthest neighbour (Epanechnikov).
        """
        blocks = [points[start : start + _BLOCK] for start in range(0, len(points), _BLOCK)]
        empty = np.zeros((0, self.additions.shape[1]), dtype=np.float32)
        return np.concatenate([empty, *map(self._predict_block, blocks)])

    def _predict_block(self, points: Array) -> Array:
        distances, neighbours = self._index.search(np.ascontiguousarray(points), self._width)
        weights = 1 - distances / np.maximum(distances[:, -1:], 1e-9)
        totals = np.einsum("nk,nkm->nm", weights, self._filled[neighbours])
        return np.asarray(totals / (np.einsum("nk,nkm->nm", weights, self._known[neighbours]) + SHRINKAGE))

    @property
    def _width(self) -> int:
        return min(NEIGHBOURS, max(1, len(self.points) // 8))

    @cached_property
    def _known(self) -> Array:
        return np.isfinite(self.additions).astype(np.float32)

    @cached_property
    def _filled(self) -> Array:
        return np.nan_to_num(self.additions, nan=0.0)

    @cached_property
    def _index(self) -> Any:
        import faiss

        index = faiss.IndexFlatL2(self.points.shape[1])
        index.add(np.ascontiguousarray(self.points))
        return index
