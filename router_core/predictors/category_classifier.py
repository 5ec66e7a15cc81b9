"""The category detector: multinomial logistic regression on what is seen of a prompt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router_core.predictors.linear import with_intercept

Array = NDArray[np.float32]

#: A category with fewer labelled prompts cannot be told from noise and is left out.
MIN_PROMPTS = 5
_PENALTY = 0.1
#: Where no category has this probability, none fits.
MIN_PROBABILITY = 0.3
#: Where `other` has a higher one, none fits either; below, taking the likeliest category errs less.
MAX_OTHER = 0.6
NONE_FITS = "other"
_MAX_ITERATIONS = 200


@dataclass(frozen=True)
class SoftmaxClassifier:
    """P(category | prompt) for the categories it was trained on; with none, the posterior has no columns."""

    categories: tuple[str, ...]
    weights: Array  # [k + 1, c], the last row is the intercept

    @classmethod
    def fit(
        cls, inputs: Array, labels: Sequence[str | None], *, penalty: float = _PENALTY
    ) -> SoftmaxClassifier:
        """Learn from points [n, k], one a prompt, and labels [n]; what has no label is passed over."""
        counts = Counter(label for label in labels if label is not None)
        categories = tuple(sorted(label for label, count in counts.items() if count >= MIN_PROMPTS))
        index = {category: column for column, category in enumerate(categories)}
        rows = np.array([row for row, label in enumerate(labels) if label in index], dtype=np.int64)
        targets = np.array([index[label] for label in labels if label in index], dtype=np.int64)
        return cls(categories, _fit_softmax(with_intercept(inputs[rows]), targets, len(categories), penalty))

    def posterior(self, inputs: Array) -> Array:
        """Return the probabilities of the categories, float32 [n, c]; rows sum to 1."""
        if not self.categories:
            return np.zeros((len(inputs), 0), dtype=np.float32)
        return _softmax(with_intercept(inputs) @ self.weights).astype(np.float32)

    def decide(self, posterior: Array) -> NDArray[np.int64]:
        """Return the column of the likeliest category of each row, that of `other` (or -1) where none fits.

        None fits where no category is likely, or `other` clearly likelier than all the rest together.
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
        """Return the parts by name, as `from_arrays` takes them."""
        return {"categories": np.array(self.categories, dtype=np.str_), "weights": self.weights}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.generic]]) -> SoftmaxClassifier:
        """Rebuild from what `arrays` returned."""
        return cls(tuple(map(str, arrays["categories"])), arrays["weights"].astype(np.float32))


def _fit_softmax(inputs: Array, targets: NDArray[np.int64], categories: int, ridge: float) -> Array:
    """Minimise the log loss plus a ridge penalty; one category or none needs no fit."""
    shape = (inputs.shape[1], categories)
    if categories < 2:
        return np.zeros(shape, dtype=np.float32)
    from scipy.optimize import minimize  # type: ignore[import-untyped]

    wide = inputs.astype(np.float64)
    onehot = np.eye(categories)[targets]
    penalty = np.full((shape[0], 1), ridge)
    penalty[-1] = 0.0

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weights = flat.reshape(shape)
        probabilities = _softmax(wide @ weights)
        value = -np.log(np.maximum((probabilities * onehot).sum(axis=1), 1e-12)).sum()
        gradient = wide.T @ (probabilities - onehot) + penalty * weights
        return value + 0.5 * (penalty * weights**2).sum(), gradient.ravel()

    found = minimize(
        loss, np.zeros(shape).ravel(), jac=True, method="L-BFGS-B", options={"maxiter": _MAX_ITERATIONS}
    )
    return np.asarray(found.x.reshape(shape), dtype=np.float32)


def _softmax(logits: NDArray[np.floating]) -> NDArray[np.floating]:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
