"""The training data of the category classifier: the categories of the rows, the built-in sample, or both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router_core.data.labelled_prompts import LabelledPrompt
from router_core.data.splits import splits
from router_core.features.prompt_features import PromptFeatures
from router_core.predictors.category_classifier import MIN_PROMPTS, SoftmaxClassifier

Array = NDArray[np.float32]

#: The most rows of one category that are used: more would take minutes and outweigh the sample.
MAX_PROMPTS = 300
#: Chosen by cross-validation on the sample; values from 0.05 to 0.2 are equally accurate.
_PENALTY = 0.1


@dataclass(frozen=True)
class LabelledFeatures:
    """Inputs of the category classifier [n, q] and the category of each, None for a prompt to be ignored."""

    inputs: Array
    categories: tuple[str | None, ...]

    @classmethod
    def of(cls, rows: Sequence[LabelledPrompt], vectors: Array) -> LabelledFeatures:
        """Return the features and categories of labelled prompts with their vectors, float32 [n, d]."""
        features = PromptFeatures.of(vectors, [row.prompt for row in rows])
        return cls(features.category_inputs(), tuple(row.category for row in rows))

    def fit_classifier(self, more: LabelledFeatures | None = None) -> SoftmaxClassifier:
        """Return a classifier that is fitted on these and, where given, on more."""
        combined = self if more is None else self._concatenate(more)
        return SoftmaxClassifier.fit(combined.inputs, combined.categories, penalty=_PENALTY)

    def _concatenate(self, more: LabelledFeatures) -> LabelledFeatures:
        return LabelledFeatures(np.vstack([self.inputs, more.inputs]), (*self.categories, *more.categories))

    def take(self, rows: NDArray[np.int64]) -> LabelledFeatures:
        """Return those of some rows."""
        return LabelledFeatures(self.inputs[rows], tuple(self.categories[row] for row in rows))


@dataclass(frozen=True)
class CategoryTrainingData:
    """The training rows, and the built-in sample if it is used as well."""

    rows: LabelledFeatures
    sample: LabelledFeatures | None

    @classmethod
    def choose(cls, rows: LabelledFeatures, sample: LabelledFeatures | None) -> CategoryTrainingData:
        """Choose the training data by the categories that the rows have on at least MIN_PROMPTS prompts.

        If these are all built in, or there are none, the rows are used together with the sample. If there are
        two or more and not all are built in, only the rows are used. If there is only one and it is not built
        in, only the sample is used, because one category gives nothing to classify. Without a sample, the
        rows are used.
        """
        if sample is None:
            return cls(_with_labels(rows, _usable(rows.categories)), None)
        usable, builtin = _usable(rows.categories), set(sample.categories)
        if usable <= builtin:
            return cls(_with_labels(rows, builtin), sample)
        if len(usable) > 1:
            return cls(_with_labels(rows, usable), None)
        return cls(_with_labels(rows, set()), sample)

    def fit_classifier(self) -> SoftmaxClassifier:
        """Return the classifier that is fitted on all of it."""
        return self.rows.fit_classifier(self.sample)

    def posterior(self, classifier: SoftmaxClassifier, fold: NDArray[np.int64]) -> Array:
        """Return out-of-fold probabilities P(category | prompt) of the rows, float32 [n, c].

        Args:
            classifier: The classifier that is fitted on all of it, whose categories are the columns. Its own
                probabilities are returned if no row has a category, or there is only one fold.
            fold: The fold of each row [n]; equal prompts must be in the same one.
        """
        if not any(self.rows.categories) or len(set(fold.tolist())) == 1:
            return classifier.posterior(self.rows.inputs)
        result = np.zeros((len(fold), len(classifier.categories)), dtype=np.float32)
        for training, held_out in splits(fold):
            part = self.rows.take(training).fit_classifier(self.sample)
            # A rare category may be missing from the training rows of a fold.
            columns = [classifier.categories.index(category) for category in part.categories]
            result[held_out[:, None], columns] = part.posterior(self.rows.inputs[held_out])
        return result


def _usable(categories: Sequence[str | None]) -> set[str | None]:
    """Return the categories with at least MIN_PROMPTS prompts."""
    return {category for category, count in Counter(categories).items() if category and count >= MIN_PROMPTS}


def _with_labels(rows: LabelledFeatures, categories: set[str | None]) -> LabelledFeatures:
    """Return the rows with labels of these categories only; of each at most MAX_PROMPTS, evenly spread."""
    kept: list[str | None] = [None] * len(rows.categories)
    for category in categories - {None}:
        labelled = [row for row, label in enumerate(rows.categories) if label == category]
        count = min(len(labelled), MAX_PROMPTS)
        for index in range(count):
            kept[labelled[index * len(labelled) // count]] = category
    return LabelledFeatures(rows.inputs, tuple(kept))
