"""Prompts with the predicted scores of all models, and pairs of models with unequal true scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router_core.predictors.ensemble import Predictions

Array = NDArray[np.float32]
Rows = NDArray[np.int64]

#: The pairwise classifier is fitted on pairs of this many models with the highest predicted scores.
TOP_K = 3


@dataclass(frozen=True)
class ScoredPrompts:
    """Prompts with their predicted scores.

    Attributes:
        representation: The prompts' representations, float32 [n, k].
        predictions: The category probabilities and the residuals predicted by each part of the ensemble.
        blended: The predicted scores, float32 [n, m].
        novelty: The novelty of each prompt, [n]; None where the router does not measure it.
    """

    representation: Array
    predictions: Predictions
    blended: Array
    novelty: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.representation)

    def take(self, rows: Rows) -> ScoredPrompts:
        """Return some of the prompts."""
        novelty = None if self.novelty is None else self.novelty[rows]
        predictions = self.predictions.take(rows)
        return ScoredPrompts(self.representation[rows], predictions, self.blended[rows], novelty)

    def novelty_or_nan(self) -> Array:
        """Return the novelty of each prompt [n], NaN where it is not measured."""
        unknown = np.full(len(self), np.nan)
        return np.asarray(unknown if self.novelty is None else self.novelty, dtype=np.float32)

    def differences(self, rows: Rows, a: Rows, b: Rows) -> Array:
        """Return the predictions for a less those for b, by each part and the blend, [rows, parts + 1]."""
        parts = self.predictions.parts
        blended = self.blended[rows, a] - self.blended[rows, b]
        return np.column_stack([(parts[:, rows, a] - parts[:, rows, b]).T, blended])

    def prompt_inputs(self, rows: Rows) -> Array:
        """Return a 1, the representation and the category probabilities, [rows, 1 + k + categories]."""
        ones = np.ones((len(rows), 1), dtype=np.float32)
        return np.hstack([ones, self.representation[rows], self.predictions.posterior[rows]])


@dataclass(frozen=True)
class PreferencePairs:
    """Pairs of models with unequal scores on a prompt; each attribute is an array [pairs].

    Attributes:
        rows: The rows of the prompts.
        a: The indices of the first models.
        b: The indices of the second models.
        won: Whether the first model has the higher score.
    """

    rows: Rows
    a: Rows
    b: Rows
    won: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, chosen: NDArray[np.bool_]) -> PreferencePairs:
        """Return some of the pairs."""
        return PreferencePairs(self.rows[chosen], self.a[chosen], self.b[chosen], self.won[chosen])

    @classmethod
    def of(cls, scores: NDArray[np.floating], blended: Array, *, top_k: int = TOP_K) -> PreferencePairs:
        """Return the pairs among the `top_k` models that have the highest predicted scores on each prompt.

        Args:
            scores: The true scores, [n, m]; a model whose score is NaN is in no pair.
            blended: The predicted scores, [n, m].
            top_k: The number of models per prompt.
        """
        candidates = np.where(np.isfinite(scores), blended, -np.inf)
        order = np.argsort(-candidates, axis=1, kind="stable")[:, :top_k]
        first, second = np.triu_indices(order.shape[1], k=1)
        rows = np.repeat(np.arange(len(scores)), len(first))
        a, b = order[:, first].ravel(), order[:, second].ravel()
        # False for NaN as well: abs(NaN) > 0 is false.
        unequal = np.abs(scores[rows, a] - scores[rows, b]) > 0
        rows, a, b = rows[unequal], a[unequal], b[unequal]
        return cls(rows, a, b, scores[rows, a] > scores[rows, b])
