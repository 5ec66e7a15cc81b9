"""The representation of a prompt, which all predictors take: principal components and surface features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router_core.features.prompt_features import PromptFeatures

Array = NDArray[np.float32]

#: The number of principal components of the embedding: more add noise to the regressors and time to the
#: k nearest neighbours.
DIRECTIONS = 64
#: The weight of a standardised surface feature beside an embedding of length 1.
SURFACE_WEIGHT = 0.15
#: The number of principal components of the words at a prompt's edges, and their weight beside the embedding.
#: They cover the end of a long prompt, and give a static embedding much of what only a transformer captures.
WORD_DIRECTIONS = 64
WORD_WEIGHT = 0.5


@dataclass(frozen=True)
class Representation:
    """A fitted linear map from a prompt's features to its representation.

    It projects embedding and words on their principal components, and standardises the surface features.
    """

    centre: Array  # [d]
    directions: Array  # [d, k]
    surface_mean: Array  # [s]
    surface_scale: Array  # [s]
    word_centre: Array  # [b]
    word_directions: Array  # [b, w]

    @classmethod
    def fit(cls, features: PromptFeatures) -> Representation:
        """Fit the principal components and the scale of the surface features; no labels are used."""
        centre, directions = embedding_components(features.vectors)
        word_centre = features.words.mean(axis=0)
        spread = features.surface.std(axis=0)
        scale = np.where(spread > 0, SURFACE_WEIGHT / np.maximum(spread, 1e-6), 0.0)
        return cls(
            centre,
            directions,
            features.surface.mean(axis=0),
            scale.astype(np.float32),
            word_centre,
            WORD_WEIGHT * _directions(features.words - word_centre, WORD_DIRECTIONS),
        )

    def transform(self, features: PromptFeatures) -> Array:
        """Return the representation of each prompt, float32 [n, k + s + w]."""
        surface = (features.surface - self.surface_mean) * self.surface_scale
        # A prompt far longer than those in training must not leave the range of the predictors' inputs there.
        np.clip(surface, -4 * SURFACE_WEIGHT, 4 * SURFACE_WEIGHT, out=surface)
        embedding = (features.vectors - self.centre) @ self.directions
        words = (features.words - self.word_centre) @ self.word_directions
        return np.hstack([embedding, surface, words])

    def outside(self, vectors: Array, representation: Array) -> Array:
        """Return the share of each embedding outside the principal components, [n], as `share_outside`."""
        return share_outside(vectors - self.centre, representation[:, : self.directions.shape[1]])

    def arrays(self) -> dict[str, Array]:
        """Return the arrays by name, as `from_arrays` takes them."""
        return dict(vars(self))

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> Representation:
        """Rebuild from what `arrays` returned."""
        return cls(**arrays)


def embedding_components(vectors: Array) -> tuple[Array, Array]:
    """Return the mean of embeddings [n, d], and their first principal components, [d, k]."""
    centre = vectors.mean(axis=0)
    return centre, _directions(vectors - centre, DIRECTIONS)


def share_outside(centred: Array, projected: NDArray[np.floating]) -> Array:
    """Return the share of each embedding that the principal components leave out, from 0 to 1, [n].

    It is the error of the reconstruction, high for prompts that differ otherwise than the labelled ones.

    Args:
        centred: The embeddings less their mean, [n, d].
        projected: The same times the principal components, [n, k].
    """
    total = np.maximum((centred**2).sum(axis=1), np.float32(1e-12))
    return np.asarray(1 - (projected**2).sum(axis=1) / total)


def _directions(centred: Array, count: int) -> Array:
    """Return the first principal components, [d, k]; their signs are fixed, so that every fit is the same."""
    from scipy.linalg import eigh  # type: ignore[import-untyped]

    n, d = centred.shape
    # With fewer prompts than dimensions, the smaller of the two products gives the same components.
    product = (centred @ centred.T if n < d else centred.T @ centred).astype(np.float64)
    size = len(product)
    values, vectors = eigh(product, subset_by_index=[max(0, size - count), size - 1])
    components = (centred.T @ vectors if n < d else vectors)[:, ::-1]
    lengths = np.linalg.norm(components, axis=0)
    nonzero = values[::-1] > 1e-9 * max(float(values[-1]), 1e-12)
    components = np.where(nonzero, components / np.where(lengths > 0, lengths, 1.0), 0.0)
    signs = np.sign(components[np.abs(components).argmax(axis=0), np.arange(components.shape[1])])
    return np.asarray(components * signs, dtype=np.float32)
