"""The reference: what training prompts were like, and how far new prompts are from that.

Three figures, each beside the limit that it must pass to be worth a word.
- Categories: the population stability index, by chance a scaled chi-squared (Yurdakul and Naranjo 2020).
- Embeddings: a kernel two-sample figure (maximum mean discrepancy, Gretton et al. 2012) over random Fourier
  features (Rahimi and Recht 2007), so that a sum is all that is kept of a chunk.
- Coverage: the share of prompts farther from every labelled prompt than 19 of 20 labelled ones are from all
  others.

Nothing here is fitted to the training prompts but means and thresholds: directions of their own would make
them look closer together than any new prompt can be.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from router_core.artefact import pack, unpack
from router_core.monitoring.drift import Drift, DriftStatistic

Array = NDArray[np.float32]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FILE = "reference.npz"
#: prompts of a chunk whose vectors are looked at: cheap, and plenty in all
SAMPLE_SIZE = 64
#: labelled prompts that distances are measured to
MAX_LANDMARKS = 1024
#: prompts below which nothing is said, labelled ones or new ones
MIN_PROMPTS = 50
#: the share of labelled prompts that count as far from all others
FAR_SHARE = 0.05
#: the share of far prompts from which on labels are missing
LARGE_UNCOVERED = 0.15
#: a population stability index from which on a shift matters, by convention
LARGE_STABILITY_INDEX = 0.25
#: the share of the kernel means that is not common, from which on a shift matters: 0.06 to 0.08 where a fifth
#: of LLMRouter's prompts are RouterBench's WinoGrande instead
LARGE_SHIFT = 0.05
#: standard errors that a figure must pass as well: a false alarm in a thousand
_SIGMAS = 3.09
_DIRECTIONS = _FREQUENCIES = 64
#: the kernel's width in median distances between labelled prompts; 0.25 and 1 see less
_WIDTH = 0.5
_SEED = 0


@dataclass(frozen=True)
class DriftSums:
    """Sums over prompts, which chunks add up.

    `values` [4 + c + 2 f]: the prompts, those sampled, those of them that are far, the prompts without a
    category, those of each of c categories, and the sum of the sampled ones' Fourier features.
    """

    values: Floats

    def add_bytes(self, before: bytes) -> DriftSums:
        """Return the sums with those that `to_bytes` wrote before."""
        return DriftSums(self.values + DriftSums.from_bytes(before).values)

    def to_bytes(self) -> bytes:
        """Return it as little-endian float64."""
        return self.values.astype("<f8").tobytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> DriftSums:
        """Rebuild from what `to_bytes` returned."""
        return cls(np.frombuffer(data, dtype="<f8").astype(np.float64))


@dataclass(frozen=True)
class DriftReference:
    """What the training prompts were like.

    `projection` [d, k] and `frequencies` [k, f] are random; `landmarks` [l, k] are labelled prompts;
    `features` [2 f] and `categories` [1 + c] are sums over `prompts`; `spread` is the trace of the features'
    covariance and that of its square; `far` the squared distance beyond which a prompt is far.
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
        """Take the vectors [n, d] of different prompts, in random order, and their categories [n].

        -1 stands for no category. Returns None for too few prompts.
        """
        if len(vectors) < MIN_PROMPTS:
            return None
        random = np.random.default_rng(seed)
        projection = _normal(random, vectors.shape[1], _DIRECTIONS) / np.float32(sqrt(_DIRECTIONS))
        places = vectors @ projection
        landmarks = places[:MAX_LANDMARKS].astype(np.float16).astype(np.float32)
        among = _squared_distances(landmarks, landmarks)
        median = np.sqrt(np.median(among[np.triu_indices(len(among), 1)]))
        frequencies = _normal(random, _DIRECTIONS, _FREQUENCIES) / np.float32(max(_WIDTH * median, 1e-6))
        features = _fourier(places, frequencies)
        covariance = np.cov(features.T)
        return cls(
            projection=projection,
            frequencies=frequencies,
            landmarks=landmarks,
            features=features.sum(axis=0, dtype=np.float64),
            spread=np.array([np.trace(covariance), (covariance**2).sum()]),
            categories=_counts(category, categories),
            far=np.array(np.quantile(_to_others(places[: 4 * MAX_LANDMARKS], landmarks), 1 - FAR_SHARE)),
        )

    @property
    def prompts(self) -> int:
        """How many different prompts the router was trained on."""
        return int(self.categories.sum())

    def observe(self, vectors: Array, category: Ints) -> DriftSums:
        """Sum up the vectors [n, d] and the categories [n] of a chunk."""
        places = vectors[_sample(len(vectors))] @ self.projection
        nearest = _squared_distances(places, self.landmarks).min(axis=1, initial=np.inf)
        head = [len(vectors), len(places), (nearest > self.far).sum()]
        features = _fourier(places, self.frequencies).sum(axis=0, dtype=np.float64)
        return DriftSums(np.concatenate([head, _counts(category, len(self.categories) - 1), features]))

    def drift(self, seen: DriftSums) -> Drift | None:
        """Compare what was seen with the training prompts; None for too few prompts."""
        (prompts, sampled, far), rest = seen.values[:3], seen.values[3:]
        categories, features = np.split(rest, [len(self.categories)])
        if sampled < MIN_PROMPTS:
            return None
        return Drift(
            prompts=int(prompts),
            sampled=int(sampled),
            categories=_stability(categories, self.categories),
            embeddings=self._discrepancy(features / sampled, 1 / sampled + 1 / self.prompts),
            uncovered=_share(far / sampled, 1 / sampled + 1 / self.prompts),
        )

    def _discrepancy(self, mean: Floats, scale: float) -> DriftStatistic:
        """Return the squared distance of the kernel means, less what chance gives, as a share of both together."""
        own = self.features / self.prompts
        trace, square = self.spread
        whole = (mean**2).sum() + (own**2).sum()
        # By chance a weighted sum of chi-squareds: taken for one of the same mean and variance (Box 1954).
        by_chance = scale * trace
        critical = by_chance * _critical(trace**2 / square) if square else 0.0
        share = (((mean - own) ** 2).sum() - by_chance) / whole
        return DriftStatistic(max(0.0, float(share)), max(LARGE_SHIFT, float((critical - by_chance) / whole)))

    def to_bytes(self) -> bytes:
        """Return it as the bytes of an .npz file."""
        halved = {"landmarks": self.landmarks.astype(np.float16)}
        return pack({**{one.name: getattr(self, one.name) for one in fields(self)}, **halved})

    @classmethod
    def from_bytes(cls, data: bytes) -> DriftReference:
        """Rebuild from what `to_bytes` returned."""
        arrays = unpack(data)
        return cls(**{**arrays, "landmarks": arrays["landmarks"].astype(np.float32)})


def _sample(prompts: int) -> Ints:
    """Return the rows of a chunk that are looked at; every fourth, say, might all be of one kind."""
    return np.sort(np.random.default_rng(_SEED).permutation(prompts)[:SAMPLE_SIZE])


def _stability(seen: Floats, reference: Floats) -> DriftStatistic:
    """Return the population stability index of counts; half a prompt is added to each, so that none is 0."""
    used = (seen + reference) > 0
    new, old = ((counts[used] + 0.5) / (counts[used] + 0.5).sum() for counts in (seen, reference))
    index = float(((new - old) * np.log(new / old)).sum())
    freedom = int(used.sum()) - 1
    by_chance = freedom * _critical(freedom) * (1 / seen.sum() + 1 / reference.sum()) if freedom else 0.0
    return DriftStatistic(index, max(LARGE_STABILITY_INDEX, float(by_chance)))


def _share(value: float, scale: float) -> DriftStatistic:
    return DriftStatistic(
        float(value), max(LARGE_UNCOVERED, FAR_SHARE + _SIGMAS * sqrt(FAR_SHARE * (1 - FAR_SHARE) * scale))
    )


def _critical(freedom: float) -> float:
    """Return the chi-squared that chance passes once in a thousand, in means of it (Wilson and Hilferty 1931)."""
    step = 2 / (9 * freedom)
    return float((1 - step + _SIGMAS * sqrt(step)) ** 3)


def _to_others(places: Array, landmarks: Array) -> Array:
    """Squared distances [n] to the nearest landmark; the first places are the landmarks themselves."""
    distances = _squared_distances(places, landmarks)
    np.fill_diagonal(distances, np.inf)
    return np.asarray(distances.min(axis=1))


def _squared_distances(places: Array, landmarks: Array) -> Array:
    squares = (landmarks**2).sum(axis=1)
    found = (places**2).sum(axis=1, keepdims=True) - 2 * (places @ landmarks.T) + squares
    return np.asarray(np.maximum(found, 0.0), dtype=np.float32)


def _fourier(places: Array, frequencies: Array) -> Array:
    """Features [n, 2 f] whose products are the Gaussian kernel, but for chance."""
    angles = places @ frequencies
    scale = np.float32(1 / sqrt(frequencies.shape[1]))
    return np.asarray(np.hstack([np.cos(angles), np.sin(angles)]) * scale, dtype=np.float32)


def _counts(category: Ints, categories: int) -> Floats:
    return np.bincount(category + 1, minlength=categories + 1).astype(np.float64)


def _normal(random: np.random.Generator, rows: int, columns: int) -> Array:
    return random.standard_normal((rows, columns), dtype=np.float32)
