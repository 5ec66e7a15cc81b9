"""The pairwise fallback classifier: P(a beats b | prompt, a, b), asked where two scores are too close.

A logistic regression whose log-odds are a difference, so that P(a beats b) = 1 - P(b beats a) by construction
(CARGO, arXiv 2509.14899, section 3, asks a classifier in one order only):

    log-odds = shared . (what the predictors say of a - what they say of b) + prompt . (own[a] - own[b])

Fitted by penalised maximum likelihood on out-of-fold predictions, it is calibrated as it stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router_core.predictors.scored_prompts import PreferencePairs, Rows, ScoredPrompts

Array = NDArray[np.float32]
Floats = NDArray[np.float64]

MIN_PAIRS = 100
#: Strong, for a model's own coefficients (one a feature of the prompt) are many and the labels noisy.
_PENALTY_OWN = 20.0
_PENALTY_SHARED = 1.0
_MAX_ITERATIONS = 100


@dataclass(frozen=True)
class PairwiseClassifier:
    """The coefficients: `shared` [parts + 1] and `own` [m, features]; without any it gives 0.5."""

    shared: Array
    own: Array

    @classmethod
    def uninformative(cls) -> PairwiseClassifier:
        """Return the classifier that prefers nobody."""
        return cls(np.zeros(0, dtype=np.float32), np.zeros((0, 0), dtype=np.float32))

    @classmethod
    def fit(
        cls, contest: ScoredPrompts, scores: NDArray[np.floating], weights: Array, *, prompts: bool = True
    ) -> PairwiseClassifier:
        """Learn from pairs of contenders with unequal scores [n, m], prompts weighted [n].

        The contest's predictions must be out-of-fold. Without `prompts` only what the predictors say counts.
        """
        pairs = PreferencePairs.of(scores, contest.blended)
        if len(pairs) < MIN_PAIRS:
            return cls.uninformative()
        return cls(*_fit(contest, pairs, weights[pairs.rows], prompts=prompts))

    def win_probability(self, contest: ScoredPrompts, rows: Rows, a: Rows, b: Rows) -> Array:
        """Return P(a beats b) for the prompts `rows` of the contest, float32 [len(rows)]."""
        if not len(self.shared) or not len(rows):
            return np.full(len(rows), 0.5, dtype=np.float32)
        odds = contest.differences(rows, a, b) @ self.shared
        if self.own.shape[1]:
            odds = odds + ((self.own[a] - self.own[b]) * contest.prompt_features(rows)).sum(axis=1)
        return np.asarray(_logistic(odds), dtype=np.float32)

    def arrays(self) -> dict[str, Array]:
        """Return the parts by name, as `from_arrays` takes them."""
        return {"shared": self.shared, "own": self.own}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> PairwiseClassifier:
        """Rebuild from what `arrays` returned."""
        return cls(arrays["shared"], arrays["own"])


def _fit(
    contest: ScoredPrompts, pairs: PreferencePairs, weights: Array, *, prompts: bool
) -> tuple[Array, Array]:
    """Return shared and own coefficients, in the units of the contest."""
    from scipy.optimize import minimize  # type: ignore[import-untyped]

    differences = contest.differences(pairs.rows, pairs.a, pairs.b).astype(np.float64)
    # In units of their spread, so that the penalty does not depend on the scale of the scores.
    scale = np.where(differences.std(axis=0) > 0, differences.std(axis=0), np.inf)
    features = contest.prompt_features(pairs.rows).astype(np.float64)
    loss = _Loss(
        differences / scale,
        features if prompts else features[:, :0],
        pairs,
        weights.astype(np.float64),
        contest.blended.shape[1],
    )
    found = minimize(
        loss, np.zeros(loss.size), jac=True, method="L-BFGS-B", options={"maxiter": _MAX_ITERATIONS}
    )
    shared, own = loss.split(found.x)
    return (shared / scale).astype(np.float32), own.astype(np.float32)


@dataclass(frozen=True)
class _Loss:
    """The penalised log loss of flat coefficients, and its gradient."""

    differences: Floats  # [pairs, parts + 1]
    prompts: Floats  # [pairs, features]
    pairs: PreferencePairs
    weights: Floats  # [pairs]
    models: int

    @property
    def size(self) -> int:
        return int(self.differences.shape[1] + self.models * self.prompts.shape[1])

    def split(self, flat: Floats) -> tuple[Floats, Floats]:
        shared = self.differences.shape[1]
        return flat[:shared], flat[shared:].reshape(self.models, self.prompts.shape[1])

    def __call__(self, flat: Floats) -> tuple[float, Floats]:
        shared, own = self.split(flat)
        odds = self.differences @ shared
        odds += ((own[self.pairs.a] - own[self.pairs.b]) * self.prompts).sum(axis=1)
        won = self.pairs.won.astype(np.float64)
        loss = self.weights @ (np.logaddexp(0.0, odds) - won * odds)
        residual = self.weights * (_logistic(odds) - won)
        penalty = _PENALTY_SHARED * (shared @ shared) + _PENALTY_OWN * (own**2).sum()
        gradient = [
            residual @ self.differences + _PENALTY_SHARED * shared,
            (self._by_model(residual) + _PENALTY_OWN * own).ravel(),
        ]
        return float(loss + penalty / 2), np.concatenate(gradient)

    def _by_model(self, residual: Floats) -> Floats:
        """Return the gradient of the own coefficients [m, features]."""
        from scipy.sparse import csr_array  # type: ignore[import-untyped]

        count = len(self.pairs)
        signs = np.concatenate([residual, -residual])
        models, columns = np.concatenate([self.pairs.a, self.pairs.b]), np.tile(np.arange(count), 2)
        signed = csr_array((signs, (models, columns)), shape=(self.models, count))
        return np.asarray(signed @ self.prompts)


def _logistic(odds: NDArray[np.floating]) -> NDArray[np.floating]:
    return np.asarray(1 / (1 + np.exp(-np.clip(odds, -30, 30))))
