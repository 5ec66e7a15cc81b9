"""Predictions for whole kinds of prompts that are left out: tasks or, where tasks are not named, clusters.

Fitting the whole ensemble again without each kind would double the time of training. So the regressors are
left out, and the classifier of clusters is kept, without the clusters that are left out. The other parts of
the ensemble are fitted again, and stand for the regressors as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router_core.data.splits import splits
from router_core.features.representation import embedding_components, share_outside
from router_core.predictors.ensemble import PARTS, Ensemble, Labels, Predictions
from router_core.predictors.group_means import GroupMeans, shrunken_means
from router_core.predictors.knn import KNearestNeighbours, knn_inputs
from router_core.predictors.linear import RidgeRegression
from router_core.predictors.novelty import GroupGaussians, group_numbers, neighbour_signals

Array = NDArray[np.float32]
Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

#: The parts that are fitted again without the kinds that are left out.
_REFITTED = ("group_means", "cluster_means", "memory", "linear")
FOLDS = 7
#: With fewer kinds, leaving some out leaves too little to learn from, and tells nothing.
MIN_KINDS = 4


def kinds_of(labels: Labels) -> Rows | None:
    """Return the number of each prompt's kind [n]: its task or, where those are few, its cluster.

    None with fewer than MIN_KINDS kinds.
    """
    for names in (labels.groups, labels.clusters):
        numbers = group_numbers(names)
        if numbers.max(initial=0) + 1 >= MIN_KINDS:
            return numbers
    return None


def kind_folds(kinds: Rows) -> Rows:
    """Return the fold of each prompt [n]: all prompts of a kind are in one, and the folds of like size."""
    sizes = np.bincount(kinds)
    fold_of_kind = np.zeros(len(sizes), dtype=np.int64)
    filled = np.zeros(min(FOLDS, len(sizes)))
    for kind in np.argsort(-sizes, kind="stable"):
        fold_of_kind[kind] = filled.argmin()
        filled[filled.argmin()] += sizes[kind]
    return fold_of_kind[kinds]


def predict_left_out(
    ensemble: Ensemble,
    representation: Array,
    posterior: Array,
    labels: Labels,
    weights: Floats,
    fold: Rows,
) -> Predictions:
    """Return the predictions for each prompt without the kinds of its fold.

    Args:
        ensemble: The ensemble that is fitted on all prompts.
        representation: The prompts' representations, [n, k].
        posterior: The probabilities of their categories, [n, c].
        labels: Their labels.
        weights: The weights of the blend, [parts].
        fold: The fold of each prompt by its kind, [n].
    """
    parts = np.zeros((len(PARTS), *labels.residuals.shape), dtype=np.float32)
    signals = np.zeros((len(representation), 2), dtype=np.float32)
    for one in _folds(ensemble, representation, labels, fold):
        refitted, signals[one.held_out] = one.predict(labels)
        for name, values in zip(_REFITTED, refitted, strict=True):
            parts[PARTS.index(name), one.held_out] = values
    return Predictions(posterior, _with_substitutes(parts, weights), signals)


def distances_to_others(representation: Array, kinds: Rows, fold: Rows) -> Floats:
    """Return the relative Mahalanobis distance of each prompt to the kinds of the other folds, [n]."""
    result = np.zeros(len(fold))
    for training, held_out in splits(fold):
        numbers = np.unique(kinds[training], return_inverse=True)[1]
        gaussians = GroupGaussians.fit(representation[training], numbers)
        result[held_out] = gaussians.relative_distances(representation[held_out])
    return result


def outside_others(vectors: Array, fold: Rows) -> Array:
    """Return the share of each embedding [n, d] outside the principal components of the other folds, [n]."""
    result = np.zeros(len(fold), dtype=np.float32)
    for training, held_out in splits(fold):
        centre, components = embedding_components(vectors[training])
        centred = vectors[held_out] - centre
        result[held_out] = share_outside(centred, centred @ components)
    return result


@dataclass(frozen=True)
class _Fold:
    """Prompts of some kinds, the other ones, and the inputs without the groups that are left out."""

    training: Rows
    held_out: Rows
    representation: Array
    tasks: Array
    clusters: Array

    def predict(self, labels: Labels) -> tuple[list[Array], Array]:
        """Return the predictions of the refitted parts for the held-out prompts, and their signals."""
        residuals, weights = labels.residuals[self.training], labels.weights[self.training]
        inputs = knn_inputs(self.representation, self.tasks)
        knn = KNearestNeighbours(inputs[self.training], residuals, weights)
        nearest, distances = knn.predict_with_distances(inputs[self.held_out])
        by_group, by_cluster = (
            of_all[self.held_out] @ shrunken_means(of_all[self.training] * weights[:, None], residuals)
            for of_all in (self.tasks, self.clusters)
        )
        design = np.hstack([self.representation, self.tasks])
        linear = RidgeRegression.fit(design[self.training], residuals, weights)
        predicted = [by_group, by_cluster, nearest, linear.predict(design[self.held_out])]
        return predicted, neighbour_signals(distances, self.tasks[self.held_out])


def _folds(ensemble: Ensemble, representation: Array, labels: Labels, fold: Rows) -> Iterator[_Fold]:
    for training, held_out in splits(fold):
        names = [labels.groups[row] for row in training]
        # Fitted again: with their columns taken away, prompts of these groups would look newer than they are.
        classifier = ensemble.group_means.classifier.refitted(representation[training], names)
        tasks = classifier.posterior(representation)
        clusters = _without(ensemble.cluster_means, representation, list(labels.clusters), training)
        yield _Fold(training, held_out, representation, tasks, clusters)


def _without(means: GroupMeans, representation: Array, names: list[str | None], training: Rows) -> Array:
    """Return the probabilities of groups [n, g], 0 for one with less than half of its prompts in training."""
    kept = np.zeros(len(names), dtype=np.bool_)
    kept[training] = True
    labels = np.array([str(name) for name in names])
    shares = [kept[labels == str(group)].mean() for group in means.classifier.categories]
    probabilities = means.classifier.posterior(representation) * (np.array(shares, dtype=np.float32) >= 0.5)
    total = probabilities.sum(axis=1, keepdims=True)
    return np.asarray(probabilities / np.maximum(total, np.float32(1e-9)))


def _with_substitutes(parts: Array, weights: Floats) -> Array:
    """Return the parts [parts, n, m] in which the mean of the refitted ones stands for all others."""
    refitted = [PARTS.index(name) for name in _REFITTED]
    shares = weights[refitted] if weights[refitted].any() else np.ones(len(refitted))
    mean = np.einsum("p,pnm->nm", shares / shares.sum(), parts[refitted])
    result = np.where(weights[:, None, None] > 0, mean[None], 0.0).astype(np.float32)
    result[refitted] = parts[refitted]
    return result
