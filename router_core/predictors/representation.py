"""The representation that every predictor sees: the embedding's main directions and surface features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router_core.predictors.features import surface_features

Array = NDArray[np.float32]

#: Directions kept of the embedding: more add noise to the regressors and cost to the memory.
DIRECTIONS = 64
#: Weight of a standardised surface feature beside an embedding of unit length.
SURFACE_WEIGHT = 0.15


@dataclass(frozen=True)
class Representation:
    """A linear map of embeddings [n, d] and the scale of the surface features."""

    centre: Array  # [d]
    directions: Array  # [d, k]
    surface_mean: Array  # [s]
    surface_scale: Array  # [s]

    @classmethod
    def fit(cls, vectors: Array, texts: Sequence[str]) -> Representation:
        """Learn the main directions of the vectors and the scale of the features; no labels are used."""
        centre = vectors.mean(axis=0)
        surface = surface_features(texts)
        spread = surface.std(axis=0)
        scale = np.where(spread > 0, SURFACE_WEIGHT / np.maximum(spread, 1e-6), 0.0)
        return cls(centre, _directions(vectors - centre), surface.mean(axis=0), scale.astype(np.float32))

    def transform(self, vectors: Array, texts: Sequence[str]) -> Array:
        """Return the representation of each prompt, float32 [n, k + s]."""
        surface = (surface_features(texts) - self.surface_mean) * self.surface_scale
        # A prompt far longer than all in training must not leave the range that was learnt from.
        np.clip(surface, -4 * SURFACE_WEIGHT, 4 * SURFACE_WEIGHT, out=surface)
        # FAISS takes float32 only, and vectors travel as float16.
        return np.hstack([(vectors.astype(np.float32) - self.centre) @ self.directions, surface])

    def arrays(self) -> dict[str, Array]:
        """Return the parts by name, as `from_arrays` takes them."""
        return dict(vars(self))

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> Representation:
        """Rebuild from what `arrays` returned."""
        return cls(**arrays)


def _directions(centred: Array) -> Array:
    """Return the directions of largest variance, [d, k], signs fixed so that a refit gives the same."""
    covariance = (centred.T @ centred).astype(np.float64)
    _, vectors = np.linalg.eigh(covariance)
    kept = vectors[:, ::-1][:, :DIRECTIONS]
    signs = np.sign(kept[np.abs(kept).argmax(axis=0), np.arange(kept.shape[1])])
    return np.asarray(kept * signs, dtype=np.float32)
