"""Lessons: what the category detector learns from, the labels of the rows, the built-in sample, or both."""

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

#: Of one category no more rows are learnt from: they would add minutes and drown the sample.
MAX_PROMPTS = 300
#: Chosen by cross-validation on the sample: 0.05 to 0.2 are as accurate.
_PENALTY = 0.1


@dataclass(frozen=True)
class LabelledFeatures:
    """Clues [n, q] and the category of each, None for a prompt to be passed over."""

    inputs: Array
    categories: tuple[str | None, ...]

    @classmethod
    def of(cls, rows: Sequence[LabelledPrompt], vectors: Array) -> LabelledFeatures:
        """Take the categories of labelled prompts with their vectors, float32 [n, d]."""
        read = PromptFeatures.of(vectors, [row.prompt for row in rows])
        return cls(read.category_inputs(), tuple(row.category for row in rows))

    def fit_classifier(self, more: LabelledFeatures | None = None) -> SoftmaxClassifier:
        """Return a detector that learnt from these and from more."""
        both = self if more is None else self._with(more)
        return SoftmaxClassifier.fit(both.inputs, both.categories, penalty=_PENALTY)

    def _with(self, more: LabelledFeatures) -> LabelledFeatures:
        return LabelledFeatures(np.vstack([self.inputs, more.inputs]), (*self.categories, *more.categories))

    def take(self, rows: NDArray[np.int64]) -> LabelledFeatures:
        """Return some of the examples."""
        return LabelledFeatures(self.inputs[rows], tuple(self.categories[row] for row in rows))


@dataclass(frozen=True)
class CategoryTrainingData:
    """The training rows as examples, and the sample, if it is to be learnt as well."""

    rows: LabelledFeatures
    sample: LabelledFeatures | None

    @classmethod
    def choose(cls, rows: LabelledFeatures, sample: LabelledFeatures | None) -> CategoryTrainingData:
        """Choose what to learn from.

        Rows that name only built-in categories, or none, are learnt along with the sample. Rows with two or
        more categories, each on MIN_PROMPTS prompts or more and not all built in, replace it. A single
        category of the user's own tells nothing apart: the sample is taken instead. Without a sample the
        rows are all there is.
        """
        if sample is None:
            return cls(_thinned(rows, _usable(rows.categories)), None)
        usable, builtin = _usable(rows.categories), set(sample.categories)
        if usable <= builtin:
            return cls(_thinned(rows, builtin), sample)
        if len(usable) > 1:
            return cls(_thinned(rows, usable), None)
        return cls(_thinned(rows, set()), sample)

    def fit_classifier(self) -> SoftmaxClassifier:
        """Return the detector that learnt from everything."""
        return self.rows.fit_classifier(self.sample)

    def posterior(self, classifier: SoftmaxClassifier, fold: NDArray[np.int64]) -> Array:
        """Return P(category | prompt) of the rows, float32 [n, c], by detectors that did not learn from them.

        `fold` [n] keeps equal prompts together. `detector` is the one for all rows: it names the columns.
        """
        if not any(self.rows.categories) or len(set(fold.tolist())) == 1:
            return classifier.posterior(self.rows.inputs)
        result = np.zeros((len(fold), len(classifier.categories)), dtype=np.float32)
        for learnt, held_out in splits(fold):
            part = self.rows.take(learnt).fit_classifier(self.sample)
            # A rare category can be missing from a fold.
            columns = [classifier.categories.index(category) for category in part.categories]
            result[held_out[:, None], columns] = part.posterior(self.rows.inputs[held_out])
        return result


def _usable(categories: Sequence[str | None]) -> set[str | None]:
    return {category for category, count in Counter(categories).items() if category and count >= MIN_PROMPTS}


def _thinned(rows: LabelledFeatures, wanted: set[str | None]) -> LabelledFeatures:
    """Return the rows with the labels of some categories only, of each at most MAX_PROMPTS, evenly spread."""
    kept: list[str | None] = [None] * len(rows.categories)
    for category in wanted - {None}:
        own = [row for row, label in enumerate(rows.categories) if label == category]
        count = min(len(own), MAX_PROMPTS)
        for place in range(count):
            kept[own[place * len(own) // count]] = category
    return LabelledFeatures(rows.inputs, tuple(kept))
