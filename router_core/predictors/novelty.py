"""Novelty: how far a prompt is from the labelled prompts, calibrated on kinds of prompts that were left out.

Three signals are combined: the distance to the nearest labelled prompts, the entropy of the task
probabilities, and the relative Mahalanobis distance (arXiv 2106.09022): the distance to the nearest group of
labelled prompts less the distance to the centre of all. A logistic regression with weights of at least 0
tells prompts of kinds that were left out from others. Its score is turned into a conformal rank: the novelty
of a prompt is the share of familiar prompts whose score is lower. So a threshold of 0.9 takes a tenth of the
familiar prompts for unfamiliar.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

NOVELTY_FILE = "novelty.npz"
#: The share of a covariance matrix that is replaced by a multiple of the identity.
_REGULARISATION = 0.1
_PENALTY = 1.0
#: The number of quantiles of the familiar prompts' scores that are kept.
_QUANTILES = 513
#: Below this, distances are equal: labelled prompts that occur twice.
_SMALLEST_DISTANCE = 1e-3


@dataclass(frozen=True)
class GroupGaussians:
    """A Gaussian for each group of labelled prompts, with a covariance in common, and one for all prompts.

    Attributes:
        within: The inverse root of the covariance within groups, [k, k].
        total: The inverse root of the covariance of all prompts, [k, k].
        means: The groups' means times `within`, [g, k].
        centre: The mean of all prompts times `total`, [k].
    """

    within: Floats
    total: Floats
    means: Floats
    centre: Floats

    @classmethod
    def fit(cls, representation: Array, groups: NDArray[np.int64]) -> GroupGaussians:
        """Fit to representations [n, k] of prompts in groups 0 to g - 1 [n]; none may be empty."""
        inputs = representation.astype(np.float64)
        means = group_means(inputs, groups)
        within, total = _inverse_root(inputs - means[groups]), _inverse_root(inputs - inputs.mean(axis=0))
        return cls(within, total, means @ within, inputs.mean(axis=0) @ total)

    def relative_distances(self, representation: Array, means: Floats | None = None) -> Floats:
        """Return the squared distance to the nearest group less that to the centre, [n].

        Args:
            representation: The prompts' representations, [n, k].
            means: The groups' means times `within`, by default those of all labelled prompts.
        """
        means = self.means if means is None else means
        whitened, centred = representation @ self.within, representation @ self.total - self.centre
        nearest = ((means**2).sum(axis=1) - 2 * whitened @ means.T).min(axis=1)
        return np.asarray(nearest + (whitened**2).sum(axis=1) - (centred**2).sum(axis=1))


@dataclass(frozen=True)
class NoveltyMeasure:
    """The calibrated measure.

    Attributes:
        gaussians: The groups of labelled prompts.
        weights: The weights of the signals, [3], at least 0.
        quantiles: Quantiles of the familiar prompts' scores, ascending.
        farthest: The logarithm of the greatest distance of a familiar prompt to its nearest ones, a scalar:
            what is farther away has the novelty 1, whatever the other signals say.
    """

    gaussians: GroupGaussians
    weights: Floats
    quantiles: Floats
    farthest: Floats

    @classmethod
    def fit(cls, gaussians: GroupGaussians, familiar: Floats, left_out: Floats) -> NoveltyMeasure:
        """Calibrate on the signals of familiar prompts and of those whose kind was left out, both [n, 3]."""
        weights = _logistic_weights(familiar, left_out)
        scores = familiar @ weights
        quantiles = np.quantile(scores, np.linspace(0, 1, _QUANTILES))
        return cls(gaussians, weights, quantiles, familiar[:, 0].max())

    def novelty(self, representation: Array, signals: Array) -> Floats:
        """Return the novelty of each prompt, from 0 to 1, [n]; the signals are those of the ensemble."""
        return self.of_signals(self.with_distances(representation, signals))

    def with_distances(self, representation: Array, signals: Array, means: Floats | None = None) -> Floats:
        """Return the ensemble's signals [n, 2] and the relative Mahalanobis distance, [n, 3]."""
        return np.column_stack([signals, self.gaussians.relative_distances(representation, means)])

    def of_signals(self, signals: Floats) -> Floats:
        """Return the novelty of each prompt by all its signals [n, 3]."""
        below = np.searchsorted(self.quantiles, signals @ self.weights, side="left") / len(self.quantiles)
        return np.where(signals[:, 0] > self.farthest, 1.0, below)

    def arrays(self) -> dict[str, Floats]:
        """Return the arrays by name, as `from_arrays` takes them."""
        own = {name: value for name, value in vars(self).items() if name != "gaussians"}
        return {**vars(self.gaussians), **own}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Floats]) -> NoveltyMeasure:
        """Rebuild from what `arrays` returned."""
        names = GroupGaussians.__dataclass_fields__
        gaussians = GroupGaussians(**{name: arrays[name] for name in names})
        return cls(gaussians, **{name: value for name, value in arrays.items() if name not in names})


def neighbour_signals(distances: Array, task_probabilities: Array) -> Array:
    """Return the ensemble's signals, float32 [n, 2].

    Args:
        distances: The mean squared distance to the nearest labelled prompts, [n].
        task_probabilities: The probabilities of the groups, [n, g].
    """
    entropy = -(task_probabilities * np.log(task_probabilities + 1e-9)).sum(axis=1)
    return np.column_stack([np.log(distances + _SMALLEST_DISTANCE), entropy]).astype(np.float32)


def group_numbers(groups: Sequence[str | None]) -> NDArray[np.int64]:
    """Return the number of each prompt's group, from 0; prompts without one are a group of their own."""
    return np.unique([str(group) for group in groups], return_inverse=True)[1].astype(np.int64)


def group_means(inputs: Floats, groups: NDArray[np.int64]) -> Floats:
    """Return the means of inputs [n, k] by group, [g, k]; a group without any prompt is left out."""
    members = np.eye(int(groups.max(initial=0)) + 1)[groups]
    counts = members.sum(axis=0)
    return np.asarray(((members.T @ inputs)[counts > 0]) / counts[counts > 0, None])


def _inverse_root(centred: Floats) -> Floats:
    """Return a root of the inverse covariance of centred inputs [n, k], regularised, [k, k]."""
    covariance = centred.T @ centred / len(centred)
    size = len(covariance)
    identity = np.eye(size) * max(float(np.trace(covariance)) / size, 1e-12)
    regularised = (1 - _REGULARISATION) * covariance + _REGULARISATION * identity
    return np.asarray(np.linalg.cholesky(np.linalg.inv(regularised)))


def _logistic_weights(familiar: Floats, left_out: Floats) -> Floats:
    """Return the weights of at least 0 that tell the signals of left-out kinds from familiar ones, [3]."""
    from scipy.optimize import minimize  # type: ignore[import-untyped]

    inputs = np.vstack([familiar, left_out])
    scale = np.maximum(inputs.std(axis=0), 1e-9)
    design = np.column_stack([(inputs - inputs.mean(axis=0)) / scale, np.ones(len(inputs))])
    target = np.repeat([0.0, 1.0], [len(familiar), len(left_out)])
    penalty = np.array([_PENALTY] * inputs.shape[1] + [0.0])

    def loss(weights: Floats) -> tuple[float, Floats]:
        odds = design @ weights
        value = np.logaddexp(0, odds).sum() - target @ odds + penalty @ weights**2
        return float(value), design.T @ (1 / (1 + np.exp(-odds)) - target) + 2 * penalty * weights

    bounds = [(0, None)] * inputs.shape[1] + [(None, None)]
    found = minimize(loss, np.zeros(design.shape[1]), jac=True, method="L-BFGS-B", bounds=bounds)
    return np.asarray(found.x[:-1] / scale)
