"""The representation that every predictor sees: main directions of embedding and words, surface features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router_core.features.prompt_features import PromptFeatures

Array = NDArray[np.float32]

#: Directions kept of the embedding: more add noise to the regressors and cost to the memory.
DIRECTIONS = 64
#: Weight of a standardised surface feature beside an embedding of unit length.
SURFACE_WEIGHT = 0.15
#: Directions kept of the words at a prompt's edges, and their weight beside the embedding: they see the end
#: of a long prompt, and tell a static embedding much of what only a transformer knows.
WORD_DIRECTIONS = 64
WORD_WEIGHT = 0.5


@dataclass(frozen=True)
class Representation:
    """A linear map of embeddings [n, d] and words [n, b], and the scale of the surface features."""

    centre: Array  # [d]
    directions: Array  # [d, k]
    surface_mean: Array  # [s]
    surface_scale: Array  # [s]
    word_centre: Array  # [b]
    word_directions: Array  # [b, w]

    @classmethod
    def fit(cls, features: PromptFeatures) -> Representation:
        """Learn the main directions and the scale of the features; no labels are used."""
        centre, word_centre = features.vectors.mean(axis=0), features.words.mean(axis=0)
        spread = features.surface.std(axis=0)
        scale = np.where(spread > 0, SURFACE_WEIGHT / np.maximum(spread, 1e-6), 0.0)
        return cls(
            centre,
            _directions(features.vectors - centre, DIRECTIONS),
            features.surface.mean(axis=0),
            scale.astype(np.float32),
            word_centre,
            WORD_WEIGHT * _directions(features.words - word_centre, WORD_DIRECTIONS),
        )

    def transform(self, features: PromptFeatures) -> Array:
        """Return the representation of each prompt, float32 [n, k + s + w]."""
        surface = (features.surface - self.surface_mean) * self.surface_scale
        # A prompt far longer than all in training must not leave the range that was learnt from.
        np.clip(surface, -4 * SURFACE_WEIGHT, 4 * SURFACE_WEIGHT, out=surface)
        meaning = (features.vectors - self.centre) @ self.directions
        words = (features.words - self.word_centre) @ self.word_directions
        return np.hstack([meaning, surface, words])

    def arrays(self) -> dict[str, Array]:
        """Return the parts by name, as `from_arrays` takes them."""
        return dict(vars(self))

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> Representation:
        """Rebuild from what `arrays` returned."""
        return cls(**arrays)


def _directions(centred: Array, count: int) -> Array:
    """Return the directions of largest variance, [d, k], signs fixed so that a refit gives the same."""
    from scipy.linalg import eigh  # type: ignore[import-untyped]

    n, d = centred.shape
    # Few prompts: the same directions come from the smaller of the two products.
    product = (centred @ centred.T if n < d else centred.T @ centred).astype(np.float64)
    size = len(product)
    values, vectors = eigh(product, subset_by_index=[max(0, size - count), size - 1])
    kept = (centred.T @ vectors if n < d else vectors)[:, ::-1]
    lengths = np.linalg.norm(kept, axis=0)
    real = values[::-1] > 1e-9 * max(float(values[-1]), 1e-12)
    kept = np.where(real, kept / np.where(lengths > 0, lengths, 1.0), 0.0)
    signs = np.sign(kept[np.abs(kept).argmax(axis=0), np.arange(kept.shape[1])])
    return np.asarray(kept * signs, dtype=np.float32)
