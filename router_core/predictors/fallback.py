"""The pairwise fallback classifier: P(a beats b | prompt, a, b), asked where two scores are too close.

Antisymmetric by construction: both orders are scored and half the difference is the log-odds, so that
P(a beats b) + P(b beats a) = 1 (CARGO, arXiv 2509.14899, section 3, asks one order only).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from router_core.predictors.ensemble import Predictions
from router_core.predictors.regressors import train_booster

Array = NDArray[np.float32]
Rows = NDArray[np.int64]

#: Pairs are drawn among this many models with the highest predicted scores: those it will be asked about.
CONTENDERS = 4
MIN_PAIRS = 100
_TREES = 60


@dataclass(frozen=True)
class Contest:
    """What the classifier sees of prompts: representation [n, k], predictions, blended scores [n, m]."""

    points: Array
    predictions: Predictions
    blended: Array

    def take(self, rows: Rows) -> Contest:
        """Return some of the prompts."""
        predictions = Predictions(self.predictions.posterior[rows], self.predictions.parts[:, rows])
        return Contest(self.points[rows], predictions, self.blended[rows])

    def pair_inputs(self, rows: Rows, a: Rows, b: Rows) -> Array:
        """Return the inputs for model a against model b on prompts `rows`, [len(rows), inputs]."""
        names = np.eye(self.blended.shape[1], dtype=np.float32)
        parts = self.predictions.parts
        differences = (parts[:, rows, a] - parts[:, rows, b]).T
        blended = (self.blended[rows, a] - self.blended[rows, b])[:, None]
        prompt = np.hstack([self.points[rows], self.predictions.posterior[rows]])
        return np.hstack([differences, blended, names[a], names[b], prompt])


@dataclass(frozen=True)
class Fallback:
    """The classifier; without a booster (too few unequal pairs) it gives 0.5, which changes nothing."""

    booster: Any

    @classmethod
    def fit(cls, contest: Contest, scores: NDArray[np.floating], *, seed: int, threads: int) -> Fallback:
        """Learn from pairs of contenders with unequal scores [n, m]; predictions must be out-of-fold."""
        rows, a, b = _pairs(scores, contest.blended)
        if len(rows) < MIN_PAIRS:
            return cls(None)
        rows, a, b = np.tile(rows, 2), np.concatenate([a, b]), np.concatenate([b, a])
        won = (scores[rows, a] > scores[rows, b]).astype(np.float32)
        inputs = contest.pair_inputs(rows, a, b)
        return cls(train_booster(inputs, won, objective="binary", trees=_TREES, seed=seed, threads=threads))

    def beats(self, contest: Contest, rows: Rows, a: Rows, b: Rows, *, threads: int = 1) -> Array:
        """Return P(a beats b) for the prompts `rows` of the contest, float32 [len(rows)]."""
        if self.booster is None or not len(rows):
            return np.full(len(rows), 0.5, dtype=np.float32)
        forward, backward = (
            self.booster.predict(contest.pair_inputs(rows, x, y), raw_score=True, num_threads=threads)
            for x, y in ((a, b), (b, a))
        )
        return np.asarray(1 / (1 + np.exp((backward - forward) / 2)), dtype=np.float32)


def _pairs(scores: NDArray[np.floating], blended: Array) -> tuple[Rows, Rows, Rows]:
    """Return prompts and pairs of models among each prompt's contenders whose scores differ."""
    judged = np.where(np.isfinite(scores), blended, -np.inf)
    contenders = np.argsort(-judged, axis=1, kind="stable")[:, :CONTENDERS]
    first, second = np.triu_indices(contenders.shape[1], k=1)
    rows = np.repeat(np.arange(len(scores)), len(first))
    a, b = contenders[:, first].ravel(), contenders[:, second].ravel()
    # NaN differs from nothing here: abs(NaN) > 0 is false.
    decided = np.abs(scores[rows, a] - scores[rows, b]) > 0
    return rows[decided], a[decided], b[decided]
