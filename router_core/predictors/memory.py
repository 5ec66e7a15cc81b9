"""The memory: labelled prompts in a FAISS index, asked for a wide neighbourhood (arXiv 2505.12601).

What a prompt is like is told by its representation and by what kind of task it probably is: the square roots
of the tasks' probabilities stand beside the representation (the distance between two such vectors is the
Hellinger distance of the posteriors), so that neighbours are sought in the same task first.
"""

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
    """Places of labelled prompts [N, k], their additions [N, m], NaN where unknown, and weights [N]."""

    places: Array
    additions: Array
    weights: Array

    def predict(self, places: Array) -> Array:
        """Return the shrunken mean addition over each prompt's neighbours, float32 [n, m].

        A neighbour's weight falls with its squared distance, to 0 at the farthest neighbour (Epanechnikov).
        """
        blocks = [places[start : start + _BLOCK] for start in range(0, len(places), _BLOCK)]
        empty = np.zeros((0, self.additions.shape[1]), dtype=np.float32)
        return np.concatenate([empty, *map(self._predict_block, blocks)])

    def neighbours(self, places: Array, count: int) -> tuple[Array, NDArray[np.int64]]:
        """Return squared distances and row numbers of the nearest labelled prompts, [n, count] each."""
        distances, rows = self._index.search(np.ascontiguousarray(places), min(count, len(self.places)))
        return distances, rows

    def _predict_block(self, places: Array) -> Array:
        distances, rows = self.neighbours(places, self._width)
        kernel = (1 - distances / np.maximum(distances[:, -1:], 1e-9))[:, None]
        totals = np.matmul(kernel, self._filled[rows])[:, 0]
        return np.asarray(totals / (np.matmul(kernel, self._known[rows])[:, 0] + SHRINKAGE))

    @property
    def _width(self) -> int:
        return min(NEIGHBOURS, max(1, len(self.places) // 8))

    @cached_property
    def _known(self) -> Array:
        return np.isfinite(self.additions) * self.weights[:, None]

    @cached_property
    def _filled(self) -> Array:
        return np.nan_to_num(self.additions, nan=0.0) * self.weights[:, None]

    @cached_property
    def _index(self) -> Any:
        import faiss

        index = faiss.IndexFlatL2(self.places.shape[1])
        index.add(np.ascontiguousarray(self.places))
        return index


def places(points: Array, tasks: Array) -> Array:
    """Return where prompts stand in the memory: representation [n, k] and roots of task probabilities."""
    return np.hstack([points, np.sqrt(np.maximum(tasks, 0.0))])
