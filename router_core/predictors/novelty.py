"""Novelty: the probability that a prompt is of a kind that was not labelled, given the batch it came in.

Three signals are combined: the distance to the nearest labelled prompts, the entropy of the task
probabilities, and the relative Mahalanobis distance (arXiv 2106.09022): the distance to the nearest group of
labelled prompts less the distance to the centre of all. A logistic regression with weights of at least 0,
fitted on as many prompts of new kinds as familiar ones, gives the odds of a prompt by itself.

Kinds that were left out in training cannot stand for all that may come: labels of one source, or few, are
alike. So a few new prompts (UNKNOWN_SHARE) are taken to be of a second sort, fixed beforehand: their share of
the embedding outside the labelled prompts' principal components is OUTSIDE_SHIFT standard deviations above
that of familiar ones.

The odds are then adjusted to the batch that the prompt came in: `batch_novelty.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from router_core.predictors.batch_novelty import NEIGHBOURS, adjusted_to_neighbours

if TYPE_CHECKING:
    from router_core.predictors.ensemble import Predictions

Array = NDArray[np.float32]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

NOVELTY_FILE = "novelty.npz"
#: The share of a covariance matrix that is replaced by a multiple of the identity.
_REGULARISATION = 0.1
_PENALTY = 1.0
#: How far the second sort lies outside, in standard deviations of familiar ones; its share of new prompts.
OUTSIDE_SHIFT = 3.0
UNKNOWN_SHARE = 0.05
#: Below this, distances are equal: labelled prompts that occur twice.
_SMALLEST_DISTANCE = 1e-3
#: Prompts written from one template differ by a word; other words in its place are no new kind.
_SMALLEST_SPREAD = 0.05
#: Of one group, all relative distances are 0 but for rounding.
_TOLERANCE = 1e-6
#: For routers that were trained before shares outside were measured.
_NOTHING_OUTSIDE = np.array([1.0, _SMALLEST_SPREAD])


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

    def relative_distances(self, representation: Array) -> Floats:
        """Return the squared distance to the nearest group less that to the centre, [n]."""
        whitened, centred = representation @ self.within, representation @ self.total - self.centre
        nearest = ((self.means**2).sum(axis=1) - 2 * whitened @ self.means.T).min(axis=1)
        return np.asarray(nearest + (whitened**2).sum(axis=1) - (centred**2).sum(axis=1))


@dataclass(frozen=True)
class NoveltyMeasure:
    """The calibrated measure.

    Attributes:
        gaussians: The groups of labelled prompts.
        weights: The weights of the signals, [3], at least 0, and the intercept: [4].
        highest: The highest value of each signal among familiar prompts, [3]: a prompt above one of them has
            the novelty 1, whatever the other signals say.
        outside: Mean and standard deviation of the share outside among familiar prompts, [2].
        neighbours: How many of a prompt's neighbours in the batch tell the share around it, [1]; 0: none.
    """

    gaussians: GroupGaussians
    weights: Floats
    highest: Floats
    outside: Floats
    neighbours: Floats = field(default_factory=lambda: np.zeros(1))

    @classmethod
    def fit(cls, gaussians: GroupGaussians, familiar: Floats, left_out: Floats) -> NoveltyMeasure:
        """Calibrate on the signals of prompts as familiar ones, and with their kind left out, both [n, 4].

        Kinds that are met later look less new than those that were left out: half-way counts as new.
        """
        inside = familiar[:, :3]
        weights = _logistic_weights(inside, (inside + left_out[:, :3]) / 2)
        return replace(cls.of_familiar(gaussians, familiar), weights=weights, highest=inside.max(axis=0))

    @classmethod
    def of_familiar(cls, gaussians: GroupGaussians, familiar: Floats) -> NoveltyMeasure:
        """Calibrate on the signals [n, 4] of familiar prompts alone: only the second sort is seen.

        Few prompts do not show the highest values: they are taken to lie twice as far above the means.
        """
        inside, outside = familiar[:, :3], familiar[:, 3]
        spread = np.array([outside.mean(), max(float(outside.std()), _SMALLEST_SPREAD)])
        highest = 2 * inside.max(axis=0) - inside.mean(axis=0)
        return cls(gaussians, np.array([0.0, 0.0, 0.0, -np.inf]), highest, spread)

    def with_neighbours(self) -> NoveltyMeasure:
        """Return the measure that asks a prompt's neighbours in the batch as well."""
        return replace(self, neighbours=np.array([float(NEIGHBOURS)]))

    def novelty(self, representation: Array, predictions: Predictions) -> Floats:
        """Return the novelty of each prompt of a batch, from 0 to 1, [n]."""
        signals = predictions.all_signals(self.gaussians.relative_distances(representation))
        return self.of_signals(signals, representation)

    def of_signals(self, signals: Floats, representation: Array) -> Floats:
        """Return the novelty of each prompt of a batch by its signals [n, 4] and representation [n, k]."""
        inside, (mean, spread) = signals[:, :3], self.outside
        is_far = (inside > self.highest + _TOLERANCE).any(axis=1)
        as_left_out = np.where(is_far, np.inf, inside @ self.weights[:-1] + self.weights[-1])
        as_unknown = np.log(UNKNOWN_SHARE) + OUTSIDE_SHIFT * (
            (signals[:, 3] - mean) / spread - OUTSIDE_SHIFT / 2
        )
        log_odds = np.logaddexp(as_left_out + np.log1p(-UNKNOWN_SHARE), as_unknown)
        return adjusted_to_neighbours(log_odds, representation, neighbours=int(self.neighbours[0]))

    def arrays(self) -> dict[str, Floats]:
        """Return the arrays by name, as `from_arrays` takes them."""
        own = {name: value for name, value in vars(self).items() if name != "gaussians"}
        return {**vars(self.gaussians), **own}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Floats]) -> NoveltyMeasure:
        """Rebuild from what `arrays` returned."""
        arrays = {"outside": _NOTHING_OUTSIDE, "neighbours": np.zeros(1), **arrays}
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


def _sigmoid(log_odds: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(log_odds, -700, 700))))


def _logistic_weights(familiar: Floats, new: Floats) -> Floats:
    """Return weights of at least 0 that tell signals of new kinds from familiar ones, and the intercept.

    Both [n, 3], and equally many, so that the odds are those of a batch with as many of each.
    """
    from scipy.optimize import minimize  # type: ignore[import-untyped]

    inputs = np.vstack([familiar, new])
    mean, scale = inputs.mean(axis=0), np.maximum(inputs.std(axis=0), 1e-9)
    design = np.column_stack([(inputs - mean) / scale, np.ones(len(inputs))])
    target = np.repeat([0.0, 1.0], [len(familiar), len(new)])
    penalty = np.array([_PENALTY] * inputs.shape[1] + [0.0])

    def loss(weights: Floats) -> tuple[float, Floats]:
        odds = design @ weights
        value = np.logaddexp(0, odds).sum() - target @ odds + penalty @ weights**2
        return float(value), design.T @ (_sigmoid(odds) - target) + 2 * penalty * weights

    bounds = [(0, None)] * inputs.shape[1] + [(None, None)]
    found = minimize(loss, np.zeros(design.shape[1]), jac=True, method="L-BFGS-B", bounds=bounds)
    weights = found.x[:-1] / scale
    return np.append(weights, found.x[-1] - weights @ mean)
