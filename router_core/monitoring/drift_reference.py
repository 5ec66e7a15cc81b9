"""The drift reference: statistics of a router's training prompts, against which new prompts are tested.

- Categories: the population stability index, by chance a scaled chi-squared (Yurdakul and Naranjo 2020).
- Embeddings: the squared maximum mean discrepancy with a Gaussian kernel (MMD, Gretton et al. 2012), over
  random Fourier features (Rahimi and Recht 2007). A sum of features is all that is kept of a chunk.
- Coverage: the share of prompts that are farther from every labelled prompt than 95 % of the labelled prompts
  are from all others.

The projection of the embeddings is random, not fitted like principal components: in fitted directions the
training prompts would appear closer together than any new prompts can be.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from router_core.artefact import pack, unpack
from router_core.monitoring.drift import Drift, DriftStatistic
from router_core.monitoring.kernels import (
    fourier_features,
    median_distance,
    normal_matrix,
    squared_distances,
    squared_distances_to_others,
)

Array = NDArray[np.float32]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

DRIFT_REFERENCE_FILE = "reference.npz"
#: The prompts of a chunk whose embeddings are compared.
SAMPLE_SIZE = 64
#: The labelled prompts that distances are measured to.
MAX_LANDMARKS = 1024
#: The fewest prompts, labelled ones and sampled ones, for a comparison.
MIN_PROMPTS = 50
#: The share of the labelled prompts that count as far from all others.
FAR_SHARE = 0.05
#: The least share of far prompts that is worth acting on.
LARGE_UNCOVERED = 0.15
#: The least population stability index that is worth acting on, by convention.
LARGE_STABILITY_INDEX = 0.25
#: The least relative discrepancy of embeddings that is worth acting on. Replacing a fifth of LLMRouter's
#: prompts by RouterBench's WinoGrande gives 0.06 to 0.08.
LARGE_SHIFT = 0.05
#: The normal quantile of the critical values: a false alarm in a thousand.
_SIGMAS = 3.09
#: The dimension of the projected embeddings, and the number of frequencies of the Fourier features.
_DIRECTIONS = _FREQUENCIES = 64
#: The bandwidth of the kernel in median distances between labelled prompts; 0.25 and 1 detect less.
_BANDWIDTH = 0.5
_SEED = 0


@dataclass(frozen=True)
class DriftSums:
    """Sums over the prompts of chunks; the sums of several chunks are added.

    Attributes:
        values: float64 [4 + c + 2 f]: the number of prompts, of sampled ones, of far ones among these, of
            prompts without a category, of prompts in each of c categories, and the sum of the sampled
            prompts' 2 f Fourier features.
    """

    values: Floats

    def add_bytes(self, before: bytes) -> DriftSums:
        """Return the sums plus those that `to_bytes` wrote before."""
        return DriftSums(self.values + DriftSums.from_bytes(before).values)

    def to_bytes(self) -> bytes:
        """Return the sums as little-endian float64."""
        return self.values.astype("<f8").tobytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> DriftSums:
        """Rebuild the sums from the bytes that `to_bytes` returned."""
        return cls(np.frombuffer(data, dtype="<f8").astype(np.float64))


@dataclass(frozen=True)
class DriftReference:
    """Statistics of the training prompts; the attributes are the arrays of the .npz file.

    Attributes:
        projection: The random projection of embeddings, [d, k].
        frequencies: The random frequencies of the Fourier features, [k, f].
        landmarks: Projected embeddings of labelled prompts, [l, k].
        features: The sum of the training prompts' Fourier features, [2 f].
        spread: The traces of the features' covariance matrix and of its square, [2].
        categories: The number of training prompts without a category, then in each of c categories, [1 + c].
        far: The squared distance to the nearest landmark beyond which a prompt is far, a scalar.
    """

    projection: Array
    frequencies: Array
    landmarks: Array
    features: Floats
    spread: Floats
    categories: Floats
    far: Floats

    @classmethod
    def of(
        cls, vectors: Array, category: Ints, *, categories: int, seed: int = _SEED
    ) -> DriftReference | None:
        """Return the reference of training prompts, or None if there are fewer than `MIN_PROMPTS`.

        Args:
            vectors: The embeddings of different prompts in random order, [n, d].
            category: The category of each prompt [n], -1 for none.
            categories: The number of categories.
            seed: The seed of projection and frequencies.
        """
        if len(vectors) < MIN_PROMPTS:
            return None
        random = np.random.default_rng(seed)
        projection = normal_matrix(random, vectors.shape[1], _DIRECTIONS) / np.float32(sqrt(_DIRECTIONS))
        projected = vectors @ projection
        # Rounded as they are stored, so that distances are the same before and after loading.
        landmarks = projected[:MAX_LANDMARKS].astype(np.float16).astype(np.float32)
        bandwidth = np.float32(max(_BANDWIDTH * median_distance(landmarks), 1e-6))
        frequencies = normal_matrix(random, _DIRECTIONS, _FREQUENCIES) / bandwidth
        features = fourier_features(projected, frequencies)
        covariance = np.cov(features.T)
        distances = squared_distances_to_others(projected[: 4 * MAX_LANDMARKS], landmarks)
        return cls(
            projection=projection,
            frequencies=frequencies,
            landmarks=landmarks,
            features=features.sum(axis=0, dtype=np.float64),
            spread=np.array([np.trace(covariance), (covariance**2).sum()]),
            categories=_category_counts(category, categories),
            far=np.array(np.quantile(distances, 1 - FAR_SHARE)),
        )

    @property
    def prompts(self) -> int:
        """The number of different training prompts."""
        return int(self.categories.sum())

    def observe(self, vectors: Array, category: Ints) -> DriftSums:
        """Return the sums over the embeddings [n, d] and categories [n] of a chunk."""
        projected = vectors[_sample(len(vectors))] @ self.projection
        nearest = squared_distances(projected, self.landmarks).min(axis=1, initial=np.inf)
        numbers = [len(vectors), len(projected), (nearest > self.far).sum()]
        features = fourier_features(projected, self.frequencies).sum(axis=0, dtype=np.float64)
        counts = _category_counts(category, len(self.categories) - 1)
        return DriftSums(np.concatenate([numbers, counts, features]))

    def drift(self, sums: DriftSums) -> Drift | None:
        """Return the drift of observed prompts, or None if fewer than `MIN_PROMPTS` were sampled."""
        (prompts, sampled, far), rest = sums.values[:3], sums.values[3:]
        categories, features = np.split(rest, [len(self.categories)])
        if sampled < MIN_PROMPTS:
            return None
        variance_factor = 1 / sampled + 1 / self.prompts
        return Drift(
            prompts=int(prompts),
            sampled=int(sampled),
            categories=_stability_index(categories, self.categories),
            embeddings=self._relative_discrepancy(features / sampled, variance_factor),
            uncovered=_uncovered_share(far / sampled, variance_factor),
        )

    def _relative_discrepancy(self, mean: Floats, variance_factor: float) -> DriftStatistic:
        """Return the squared MMD less its expectation by chance, relative to the kernel means' squared norms.

        By chance the squared MMD is a weighted sum of chi-squared variables. It is approximated by a scaled
        chi-squared of the same mean and variance (Box 1954).

        Args:
            mean: The mean of the observed features [2 f].
            variance_factor: 1 / observed prompts + 1 / training prompts.
        """
        reference_mean = self.features / self.prompts
        trace, square_trace = self.spread
        norms = (mean**2).sum() + (reference_mean**2).sum()
        expected = variance_factor * trace
        critical = expected * _critical_ratio(trace**2 / square_trace) if square_trace else 0.0
        relative = (((mean - reference_mean) ** 2).sum() - expected) / norms
        limit = max(LARGE_SHIFT, float((critical - expected) / norms))
        return DriftStatistic(max(0.0, float(relative)), limit)

    def to_bytes(self) -> bytes:
        """Return the reference as the bytes of an .npz file; landmarks are stored as float16."""
        halved = {"landmarks": self.landmarks.astype(np.float16)}
        return pack({**{field.name: getattr(self, field.name) for field in fields(self)}, **halved})

    @classmethod
    def from_bytes(cls, data: bytes) -> DriftReference:
        """Rebuild the reference from the bytes that `to_bytes` returned."""
        arrays = unpack(data)
        return cls(**{**arrays, "landmarks": arrays["landmarks"].astype(np.float32)})


def _sample(prompts: int) -> Ints:
    """Return the sampled rows of a chunk; at random, because every fourth row might be of the same kind."""
    return np.sort(np.random.default_rng(_SEED).permutation(prompts)[:SAMPLE_SIZE])


def _stability_index(observed: Floats, reference: Floats) -> DriftStatistic:
    """Return the population stability index of category counts; half a prompt is added to each count."""
    used = (observed + reference) > 0
    new, old = ((counts[used] + 0.5) / (counts[used] + 0.5).sum() for counts in (observed, reference))
    index = float(((new - old) * np.log(new / old)).sum())
    freedom = int(used.sum()) - 1
    variance_factor = 1 / observed.sum() + 1 / reference.sum()
    critical = freedom * _critical_ratio(freedom) * variance_factor if freedom else 0.0
    return DriftStatistic(index, max(LARGE_STABILITY_INDEX, float(critical)))


def _uncovered_share(share: float, variance_factor: float) -> DriftStatistic:
    critical = FAR_SHARE + _SIGMAS * sqrt(FAR_SHARE * (1 - FAR_SHARE) * variance_factor)
    return DriftStatistic(float(share), max(LARGE_UNCOVERED, critical))


def _critical_ratio(freedom: float) -> float:
    """Return the 99.9 % quantile of chi-squared divided by its mean (Wilson and Hilferty 1931)."""
    step = 2 / (9 * freedom)
    return float((1 - step + _SIGMAS * sqrt(step)) ** 3)


def _category_counts(category: Ints, categories: int) -> Floats:
    """Return the number of prompts without a category, then in each category, [1 + categories]."""
    return np.bincount(category + 1, minlength=categories + 1).astype(np.float64)
