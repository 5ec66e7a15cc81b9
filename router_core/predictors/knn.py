"""k nearest neighbours: the mean residual over a wide neighbourhood of labelled prompts (arXiv 2505.12601).

The inputs are a prompt's representation and the square roots of its task probabilities. The Euclidean
distance between two vectors of such square roots is, up to a factor, the Hellinger distance between the two
distributions. So most of a prompt's neighbours are prompts of the same task.
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
#: The number of neighbours whose mean distance tells how familiar a prompt is.
NEAREST = 20
#: The mean is shrunk toward 0 as if there were this many more neighbours with a residual of 0.
SHRINKAGE = 5.0
#: The number of distances that are computed at once, few enough for a processor's cache.
_BLOCK_DISTANCES = 400_000


@dataclass(frozen=True)
class KNearestNeighbours:
    """The labelled prompts.

    Attributes:
        inputs: Their inputs by `knn_inputs`, float32 [N, k].
        residuals: Their residuals, float32 [N, m], NaN where unknown.
        weights: Their weights, float32 [N].
    """

    inputs: Array
    residuals: Array
    weights: Array

    def predict(self, inputs: Array) -> Array:
        """Return the shrunken mean residual over each prompt's neighbours, float32 [n, m].

        A neighbour's weight falls with its squared distance, to 0 at the farthest one (Epanechnikov kernel).
        """
        return self.predict_with_distances(inputs)[0]

    def predict_with_distances(self, inputs: Array) -> tuple[Array, Array]:
        """Return what `predict` does, and each prompt's mean squared distance to the nearest ones, [n]."""
        step = max(1, _BLOCK_DISTANCES // max(len(self.inputs), 1))
        blocks = [self._predict_block(inputs[start : start + step]) for start in range(0, len(inputs), step)]
        nothing = np.zeros((0, self.residuals.shape[1]), dtype=np.float32), np.zeros(0, dtype=np.float32)
        residuals, distances = zip(nothing, *blocks, strict=True)
        return np.concatenate(residuals), np.concatenate(distances)

    def neighbours(self, inputs: Array, count: int) -> tuple[Array, NDArray[np.int64]]:
        """Return squared distances and rows of the nearest labelled prompts, both [n, count], by FAISS."""
        distances, rows = self._index.search(np.ascontiguousarray(inputs), min(count, len(self.inputs)))
        return distances, rows

    def arrays(self) -> dict[str, Array]:
        """Return the arrays by the names that router files give them."""
        return {"places": self.inputs, "additions": self.residuals, "weights": self.weights}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> KNearestNeighbours:
        """Rebuild from what `arrays` returned."""
        return cls(arrays["places"], arrays["additions"], arrays["weights"])

    def _predict_block(self, inputs: Array) -> tuple[Array, Array]:
        # All distances and one product with all residuals: for hundreds of neighbours this takes a third of
        # the time of searching for them and gathering their rows.
        distances = self._squares - 2 * (inputs @ self.inputs.T) + (inputs**2).sum(axis=1, keepdims=True)
        neighbours = np.partition(distances, self._width - 1, axis=1)[:, : self._width]
        farthest = neighbours[:, [-1]]
        kernel = np.maximum(1 - distances / np.maximum(farthest, 1e-9), 0.0)
        totals, counts = np.split(kernel @ self._residuals_and_counts, 2, axis=1)
        nearest = np.partition(neighbours, min(NEAREST, self._width) - 1, axis=1)[:, :NEAREST]
        return np.asarray(totals / (counts + SHRINKAGE)), np.maximum(nearest.mean(axis=1), 0.0)

    @property
    def _width(self) -> int:
        """The number of neighbours."""
        return min(NEIGHBOURS, max(1, len(self.inputs) // 8))

    @cached_property
    def _squares(self) -> Array:
        return np.asarray((self.inputs**2).sum(axis=1))

    @cached_property
    def _residuals_and_counts(self) -> Array:
        """The weighted residuals, 0 where unknown, and the weights of the known ones, [N, 2 m]."""
        known = np.isfinite(self.residuals)
        return np.hstack([np.where(known, self.residuals, 0.0), known]) * self.weights[:, None]

    @cached_property
    def _index(self) -> Any:
        import faiss

        index = faiss.IndexFlatL2(self.inputs.shape[1])
        index.add(np.ascontiguousarray(self.inputs))
        return index


def knn_inputs(representation: Array, task_probabilities: Array) -> Array:
    """Return the representation [n, k] and the square roots of the task probabilities [n, t] side by side."""
    return np.hstack([representation, np.sqrt(np.maximum(task_probabilities, 0.0))])


LABELLED_IDS_FILE = "labelled_ids.json"


@dataclass(frozen=True)
class LabelledIds:
    """The ids of the labelled prompts, in the order of the rows of `KNearestNeighbours`.

    Attributes:
        data: A JSON list; empty in routers that were saved without ids.
    """

    data: bytes = b"[]"

    @classmethod
    def of(cls, ids: Iterable[str]) -> LabelledIds:
        """Return them from an iterable."""
        return cls(json.dumps(list(ids), ensure_ascii=False).encode("utf-8", "surrogatepass"))

    def at(self, rows: Sequence[int]) -> list[str]:
        """Return the ids of some rows; a row without an id is left out."""
        return [self._ids[row] for row in rows if row < len(self._ids)]

    @cached_property
    def _ids(self) -> list[str]:
        return [str(name) for name in json.loads(self.data.decode("utf-8", "surrogatepass"))]
