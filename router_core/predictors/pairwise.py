"""The pairwise classifier: P(model a beats model b | prompt), where two predicted scores are too close.

It is the fallback classifier of CARGO (arXiv 2509.14899, section 3), a logistic regression with the log-odds

    shared . (predictions for a - predictions for b) + prompt . (own[a] - own[b])

Because they are a difference, P(a beats b) = 1 - P(b beats a); CARGO's classifier is evaluated in one order
only. It is fitted by penalised maximum likelihood on out-of-fold predictions, so its probabilities need no
further calibration.
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
#: Strong, because a model has many coefficients of its own (one per feature of the prompt) and noisy labels.
_PENALTY_OWN = 20.0
_PENALTY_SHARED = 1.0
_MAX_ITERATIONS = 100


@dataclass(frozen=True)
class PairwiseClassifier:
    """The coefficients of the logistic regression; without any, every probability is 0.5.

    Attributes:
        shared: The coefficients of the differences of predictions, float32 [parts + 1].
        own: The coefficients of each model for the features of the prompt, float32 [m, features].
    """

    shared: Array
    own: Array

    @classmethod
    def uninformative(cls) -> PairwiseClassifier:
        """Return the classifier that gives 0.5 for every pair."""
        return cls(np.zeros(0, dtype=np.float32), np.zeros((0, 0), dtype=np.float32))

    @classmethod
    def fit(
        cls,
        scored: ScoredPrompts,
        scores: NDArray[np.floating],
        weights: Array,
        *,
        use_prompts: bool = True,
    ) -> PairwiseClassifier:
        """Fit on pairs of models with unequal scores, among those with the highest predicted scores.

        Args:
            scored: The prompts with out-of-fold predictions.
            scores: The true scores, [n, m], NaN where unknown.
            weights: The weights of the prompts, [n].
            use_prompts: Whether to use the features of the prompt beside the predictions.

        Returns:
            The fitted classifier, or `uninformative()` for fewer than MIN_PAIRS pairs.
        """
        pairs = PreferencePairs.of(scores, scored.blended)
        if len(pairs) < MIN_PAIRS:
            return cls.uninformative()
        return cls(*_fit(scored, pairs, weights[pairs.rows], use_prompts=use_prompts))

    def win_probability(self, scored: ScoredPrompts, rows: Rows, a: Rows, b: Rows) -> Array:
        """Return P(a beats b) for some rows of the scored prompts and models a and b, float32 [len(rows)]."""
        if not len(self.shared) or not len(rows):
            return np.full(len(rows), 0.5, dtype=np.float32)
        log_odds = scored.differences(rows, a, b) @ self.shared
        if self.own.shape[1]:
            log_odds = log_odds + ((self.own[a] - self.own[b]) * scored.prompt_inputs(rows)).sum(axis=1)
        return np.asarray(_logistic(log_odds), dtype=np.float32)

    def arrays(self) -> dict[str, Array]:
        """Return the arrays by name, as `from_arrays` takes them."""
        return {"shared": self.shared, "own": self.own}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> PairwiseClassifier:
        """Rebuild from what `arrays` returned."""
        return cls(arrays["shared"], arrays["own"])


def _fit(
    scored: ScoredPrompts, pairs: PreferencePairs, weights: Array, *, use_prompts: bool
) -> tuple[Array, Array]:
    """Return the shared and own coefficients, in the units of the scores."""
    from scipy.optimize import minimize  # type: ignore[import-untyped]

    differences = scored.differences(pairs.rows, pairs.a, pairs.b).astype(np.float64)
    # Standardised, so that the penalty does not depend on the scale of the scores.
    scale = np.where(differences.std(axis=0) > 0, differences.std(axis=0), np.inf)
    features = scored.prompt_inputs(pairs.rows).astype(np.float64)
    loss = _Loss(
        differences / scale,
        features if use_prompts else features[:, :0],
        pairs,
        weights.astype(np.float64),
        scored.blended.shape[1],
    )
    result = minimize(
        loss, np.zeros(loss.size), jac=True, method="L-BFGS-B", options={"maxiter": _MAX_ITERATIONS}
    )
    shared, own = loss.split(result.x)
    return (shared / scale).astype(np.float32), own.astype(np.float32)


@dataclass(frozen=True)
class _Loss:
    """The penalised log loss as a function of the flattened coefficients, and its gradient."""

    differences: Floats  # [pairs, parts + 1]
    features: Floats  # [pairs, features]
    pairs: PreferencePairs
    weights: Floats  # [pairs]
    models: int

    @property
    def size(self) -> int:
        """The number of coefficients."""
        return int(self.differences.shape[1] + self.models * self.features.shape[1])

    def split(self, flat: Floats) -> tuple[Floats, Floats]:
        """Return the shared [parts + 1] and own [m, features] coefficients."""
        shared = self.differences.shape[1]
        return flat[:shared], flat[shared:].reshape(self.models, self.features.shape[1])

    def __call__(self, flat: Floats) -> tuple[float, Floats]:
        shared, own = self.split(flat)
        log_odds = self.differences @ shared
        log_odds += ((own[self.pairs.a] - own[self.pairs.b]) * self.features).sum(axis=1)
        won = self.pairs.won.astype(np.float64)
        loss = self.weights @ (np.logaddexp(0.0, log_odds) - won * log_odds)
        residual = self.weights * (_logistic(log_odds) - won)
        penalty = _PENALTY_SHARED * (shared @ shared) + _PENALTY_OWN * (own**2).sum()
        gradient = [
            residual @ self.differences + _PENALTY_SHARED * shared,
            (self._by_model(residual) + _PENALTY_OWN * own).ravel(),
        ]
        return float(loss + penalty / 2), np.concatenate(gradient)

    def _by_model(self, residual: Floats) -> Floats:
        """Return the gradient of the log loss with respect to the own coefficients, [m, features]."""
        from scipy.sparse import csr_array  # type: ignore[import-untyped]

        count = len(self.pairs)
        signs = np.concatenate([residual, -residual])
        models, columns = np.concatenate([self.pairs.a, self.pairs.b]), np.tile(np.arange(count), 2)
        signed = csr_array((signs, (models, columns)), shape=(self.models, count))
        return np.asarray(signed @ self.features)


def _logistic(log_odds: NDArray[np.floating]) -> NDArray[np.floating]:
    return np.asarray(1 / (1 + np.exp(-np.clip(log_odds, -30, 30))))
