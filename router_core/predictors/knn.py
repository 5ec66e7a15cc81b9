"""The memory: labelled prompts, asked for a wide neighbourhood (arXiv 2505.12601); FAISS names the nearest.

What a prompt is like is told by its representation and by what kind of task it probably is: the square roots
of the tasks' probabilities stand beside the representation (the distance between two such vectors is the
Hellinger distance of the posteriors), so that neighbours are sought in the same task first.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

NEIGHBOURS = 300
#: The neighbours' mean counts as this many neighbours on which nothing was added.
SHRINKAGE = 5.0
#: Distances held at once: few enough for a processor's cache.
_DISTANCES = 400_000


@dataclass(frozen=True)
class KNearestNeighbours:
    """Places of labelled prompts [N, k], their additions [N, m], NaN where unknown, and weights [N]."""

    inputs: Array
    residuals: Array
    weights: Array

    def predict(self, inputs: Array) -> Array:
        """Return the shrunken mean addition over each prompt's neighbours, float32 [n, m].

        A neighbour's weight falls with its squared distance, to 0 at the farthest neighbour (Epanechnikov).
        """
        step = max(1, _DISTANCES // max(len(self.inputs), 1))
        blocks = [inputs[start : start + step] for start in range(0, len(inputs), step)]
        empty = np.zeros((0, self.residuals.shape[1]), dtype=np.float32)
        return np.concatenate([empty, *map(self._predict_block, blocks)])

    def neighbours(self, inputs: Array, count: int) -> tuple[Array, NDArray[np.int64]]:
        """Return squared distances and row numbers of the nearest labelled prompts, [n, count] each."""
        distances, rows = self._index.search(np.ascontiguousarray(inputs), min(count, len(self.inputs)))
        return distances, rows

    def arrays(self) -> dict[str, Array]:
        """Return the arrays by the names that router files give them."""
        return {"places": self.inputs, "additions": self.residuals, "weights": self.weights}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> KNearestNeighbours:
        """Rebuild from what `arrays` returned."""
        return cls(arrays["places"], arrays["additions"], arrays["weights"])

    def _predict_block(self, inputs: Array) -> Array:
        # Every distance, and one product with all additions: for hundreds of neighbours this takes a third of
        # the time of searching for them and gathering their rows.
        distances = self._squares - 2 * (inputs @ self.inputs.T) + (inputs**2).sum(axis=1, keepdims=True)
        farthest = np.partition(distances, self._width - 1, axis=1)[:, [self._width - 1]]
        kernel = np.maximum(1 - distances / np.maximum(farthest, 1e-9), 0.0)
        totals, counts = np.split(kernel @ self._residuals_and_counts, 2, axis=1)
        return np.asarray(totals / (counts + SHRINKAGE))

    @property
    def _width(self) -> int:
        return min(NEIGHBOURS, max(1, len(self.inputs) // 8))

    @cached_property
    def _squares(self) -> Array:
        return np.asarray((self.inputs**2).sum(axis=1))

    @cached_property
    def _residuals_and_counts(self) -> Array:
        """What the neighbours' kernel weights are multiplied with, [N, 2 m]."""
        known = np.isfinite(self.residuals)
        return np.hstack([np.where(known, self.residuals, 0.0), known]) * self.weights[:, None]

    @cached_property
    def _index(self) -> Any:
        import faiss

        index = faiss.IndexFlatL2(self.inputs.shape[1])
        index.add(np.ascontiguousarray(self.inputs))
        return index


def knn_inputs(representation: Array, task_probabilities: Array) -> Array:
    """Return where prompts stand in the memory: representation [n, k] and roots of task probabilities."""
    return np.hstack([representation, np.sqrt(np.maximum(task_probabilities, 0.0))])


FILE = "labelled_ids.json"


@dataclass(frozen=True)
class LabelledIds:
    """A JSON list of ids in the order of the memory's rows; empty in routers that were saved without them."""

    data: bytes = b"[]"

    @classmethod
    def of(cls, ids: Iterable[str]) -> LabelledIds:
        """Keep ids."""
        return cls(json.dumps(list(ids), ensure_ascii=False).encode("utf-8", "surrogatepass"))

    def at(self, rows: Sequence[int]) -> list[str]:
        """Return the ids of some rows; a row without one is passed over."""
        return [self._ids[row] for row in rows if row < len(self._ids)]

    @cached_property
    def _ids(self) -> list[str]:
        return [str(name) for name in json.loads(self.data.decode("utf-8", "surrogatepass"))]
