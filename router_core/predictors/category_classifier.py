"""Softmax classifier (multinomial logistic regression) of prompts, for example by category."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router_core.predictors.design_matrix import DesignMatrix
from router_core.predictors.linear import with_intercept

Array = NDArray[np.float32]

#: A category with fewer labelled prompts cannot be told from noise and is ignored.
MIN_PROMPTS = 5
_PENALTY = 0.1
#: The category of prompts that fit no other category.
NONE_FITS = "other"
#: No category fits where none has at least this probability.
MIN_PROBABILITY = 0.3
#: No category fits either where `other` has a higher probability than this. Below it, the most probable named
#: category is wrong less often than `other` is.
MAX_OTHER = 0.6
_MAX_ITERATIONS = 200
_REFIT_ITERATIONS = 50


@dataclass(frozen=True)
class SoftmaxClassifier:
    """P(category | prompt) for c categories.

    Attributes:
        categories: The categories that it was trained on, sorted; there may be none.
        weights: The coefficients, float32 [k + 1, c]; the last row is the intercept.
    """

    categories: tuple[str, ...]
    weights: Array

    @classmethod
    def fit(
        cls, inputs: Array, labels: Sequence[str | None], *, penalty: float = _PENALTY
    ) -> SoftmaxClassifier:
        """Fit by penalised maximum likelihood.

        Args:
            inputs: The features of the prompts, [n, k].
            labels: The categories [n]; a prompt whose label is None is ignored.
            penalty: The strength of the ridge penalty.
        """
        counts = Counter(label for label in labels if label is not None)
        categories = tuple(sorted(label for label, count in counts.items() if count >= MIN_PROMPTS))
        rows, targets = _rows_and_columns(labels, categories)
        return cls(categories, _fit_softmax(with_intercept(inputs[rows]), targets, len(categories), penalty))

    def refitted(self, inputs: Array, labels: Sequence[str | None]) -> SoftmaxClassifier:
        """Return one that is fitted to a part of the prompts: begun with these weights, so in less time.

        Args:
            inputs: The features of that part, [n, k].
            labels: The categories [n], of which some may be missing.
        """
        present = set(labels)
        kept = [column for column, category in enumerate(self.categories) if category in present]
        categories = tuple(self.categories[column] for column in kept)
        rows, targets = _rows_and_columns(labels, categories)
        weights = _fit_softmax(
            with_intercept(inputs[rows]),
            targets,
            len(kept),
            _PENALTY,
            start=self.weights[:, kept],
            iterations=_REFIT_ITERATIONS,
        )
        return SoftmaxClassifier(categories, weights)

    def posterior(self, inputs: Array) -> Array:
        """Return the probabilities of the categories, float32 [n, c]; rows sum to 1 unless c is 0."""
        if not self.categories:
            return np.zeros((len(inputs), 0), dtype=np.float32)
        return _softmax(with_intercept(inputs) @ self.weights).astype(np.float32)

    def decide(self, posterior: Array) -> NDArray[np.int64]:
        """Return the column of each prompt's category by its probabilities [n, c], int64 [n].

        Of all categories but `other`, it is the most probable one, if it has at least MIN_PROBABILITY and all
        of them together have at least 1 - MAX_OTHER. Otherwise no category fits, and it is the column of
        `other`, or -1 without that category.
        """
        none = self.categories.index(NONE_FITS) if NONE_FITS in self.categories else -1
        named = posterior.copy()
        if none >= 0:
            named[:, none] = 0.0
        if not named.any():
            return np.full(len(posterior), none, dtype=np.int64)
        fits = (named.sum(axis=1) >= 1 - MAX_OTHER) & (named.max(axis=1) >= MIN_PROBABILITY)
        return np.where(fits, named.argmax(axis=1), none).astype(np.int64)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return the attributes as arrays by name, as `from_arrays` takes them."""
        return {"categories": np.array(self.categories, dtype=np.str_), "weights": self.weights}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.generic]]) -> SoftmaxClassifier:
        """Rebuild from what `arrays` returned."""
        return cls(tuple(map(str, arrays["categories"])), arrays["weights"].astype(np.float32))


def _rows_and_columns(
    labels: Sequence[str | None], categories: Sequence[str]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows whose label is one of the categories, and the column of each."""
    index = {category: column for column, category in enumerate(categories)}
    known = [(row, index[label]) for row, label in enumerate(labels) if label is not None and label in index]
    rows, columns = np.array(known, dtype=np.int64).reshape(-1, 2).T
    return rows, columns


def _fit_softmax(
    inputs: Array,
    targets: NDArray[np.int64],
    categories: int,
    ridge: float,
    *,
    start: Array | None = None,
    iterations: int = _MAX_ITERATIONS,
) -> Array:
    """Return the weights of least log loss plus ridge penalty; zeros for fewer than two categories."""
    shape = (inputs.shape[1], categories)
    if categories < 2:
        return np.zeros(shape, dtype=np.float32)
    from scipy.optimize import minimize  # type: ignore[import-untyped]

    design = DesignMatrix.of(inputs)
    onehot = np.eye(categories)[targets]
    penalty = np.full((shape[0], 1), ridge)
    penalty[-1] = 0.0

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weights = flat.reshape(shape)
        probabilities = _softmax(design.times(weights))
        value = -np.log(np.maximum((probabilities * onehot).sum(axis=1), 1e-12)).sum()
        gradient = design.transposed_times(probabilities - onehot) + penalty * weights
        return value + 0.5 * (penalty * weights**2).sum(), gradient.ravel()

    first = np.zeros(shape) if start is None else start.astype(np.float64)
    result = minimize(loss, first.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": iterations})
    return np.asarray(result.x.reshape(shape), dtype=np.float32)


def _softmax(logits: NDArray[np.floating]) -> NDArray[np.floating]:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
