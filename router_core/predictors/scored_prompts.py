"""The contest: what is known of prompts before a choice is made, and the models that vie for them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router_core.predictors.ensemble import Predictions

Array = NDArray[np.float32]
Rows = NDArray[np.int64]

#: Pairs are drawn among this many models with the highest predicted scores: those that may be asked about.
TOP_K = 3


@dataclass(frozen=True)
class ScoredPrompts:
    """Prompts as the classifier sees them: representation [n, k], predictions, blended scores [n, m]."""

    representation: Array
    predictions: Predictions
    blended: Array

    def __len__(self) -> int:
        return len(self.representation)

    def take(self, rows: Rows) -> ScoredPrompts:
        """Return some of the prompts."""
        predictions = Predictions(self.predictions.posterior[rows], self.predictions.parts[:, rows])
        return ScoredPrompts(self.representation[rows], predictions, self.blended[rows])

    def differences(self, rows: Rows, a: Rows, b: Rows) -> Array:
        """Return by how much each part, and the blend, prefer model a to b, [len(rows), parts + 1]."""
        parts = self.predictions.parts
        blended = self.blended[rows, a] - self.blended[rows, b]
        return np.column_stack([(parts[:, rows, a] - parts[:, rows, b]).T, blended])

    def prompt_features(self, rows: Rows) -> Array:
        """Return what prompts are like, whatever the models: [len(rows), 1 + k + categories]."""
        ones = np.ones((len(rows), 1), dtype=np.float32)
        return np.hstack([ones, self.representation[rows], self.predictions.posterior[rows]])


@dataclass(frozen=True)
class PreferencePairs:
    """Pairs of contenders with unequal scores: prompts, models a and b, whether a won; all [pairs]."""

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
        """Take the pairs among each prompt's judged models with the highest blended scores, [n, m] both."""
        judged = np.where(np.isfinite(scores), blended, -np.inf)
        order = np.argsort(-judged, axis=1, kind="stable")[:, :top_k]
        first, second = np.triu_indices(order.shape[1], k=1)
        rows = np.repeat(np.arange(len(scores)), len(first))
        a, b = order[:, first].ravel(), order[:, second].ravel()
        # NaN differs from nothing here: abs(NaN) > 0 is false.
        unequal = np.abs(scores[rows, a] - scores[rows, b]) > 0
        rows, a, b = rows[unequal], a[unequal], b[unequal]
        return cls(rows, a, b, scores[rows, a] > scores[rows, b])
