"""The expected tokens of an answer by model and kind of prompt, from the labels' recorded lengths.

Lengths differ many times over between models on one kind of prompt, and the price of a call is mostly that of
its answer. Each kind's mean is drawn toward the model's as if the kind had a few more answers of that length.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from router_core.predictors.scored_prompts import ScoredPrompts
    from router_core.router import Router

Array = NDArray[np.float32]
Floats = NDArray[np.float64]

ANSWER_TOKENS_FILE = "answer_tokens.npz"
#: A kind's mean is shrunk toward the model's as if the kind had this many more answers.
_SHRINKAGE = 5.0
#: The share of answers that are shorter than the interval, and that are longer.
TAIL = 0.1
#: A model with fewer recorded answers has no expectation.
_MIN_ANSWERS = 5


@dataclass(frozen=True)
class AnswerTokens:
    """The expected lengths.

    Attributes:
        means: The mean tokens of an answer by kind and model, [g, m]; NaN for a model with too few answers.
        interval: By model, the factors on the mean below and above which one answer in ten lies, [2, m].
    """

    means: Floats
    interval: Floats

    @classmethod
    def fit(cls, task_probabilities: Array, tokens: Floats) -> AnswerTokens | None:
        """Fit to recorded lengths [n, m], NaN where unknown; None where no model has enough of them.

        Args:
            task_probabilities: The probabilities of the kinds, [n, g].
            tokens: The recorded lengths.
        """
        kinds = _kinds(task_probabilities).astype(np.float64)
        known = np.isfinite(tokens)
        enough = known.sum(axis=0) >= _MIN_ANSWERS
        if not enough.any():
            return None
        filled = np.where(known, tokens, 0.0)
        overall = filled.sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        totals, counts = kinds.T @ filled, kinds.T @ known
        means = (totals + _SHRINKAGE * overall) / (counts + _SHRINKAGE)
        factors = np.where(known, tokens / np.maximum(kinds @ means, 1e-9), np.nan)
        interval = np.ones((2, tokens.shape[1]))
        interval[:, enough] = np.nanquantile(factors[:, enough], [TAIL, 1 - TAIL], axis=0)
        return cls(np.where(enough, means, np.nan), interval)

    def predict(self, task_probabilities: Array) -> Floats:
        """Return the expected tokens of each model's answer, [n, m]; NaN where unknown."""
        return np.asarray(_kinds(task_probabilities).astype(np.float64) @ self.means)

    def arrays(self) -> dict[str, Floats]:
        """Return the arrays by name, as `from_arrays` takes them."""
        return dict(vars(self))

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Floats]) -> AnswerTokens:
        """Rebuild from what `arrays` returned."""
        return cls(**arrays)

    def record(self, models: Sequence[str], kinds: Sequence[str]) -> dict[str, Any]:
        """Return the lengths by model and kind for the manifest: expected, low and high."""
        names = kinds or ("all",)
        return {
            model: {
                kind: dict(zip(("expected", "low", "high"), map(round, values), strict=True))
                for kind, values in zip(names, self._values(column), strict=True)
            }
            for column, model in enumerate(models)
            if np.isfinite(self.means[:, column]).all()
        }

    def _values(self, column: int) -> list[tuple[float, float, float]]:
        low, high = self.interval[:, column].tolist()
        return [(mean, low * mean, high * mean) for mean in self.means[:, column].tolist()]


@dataclass(frozen=True)
class ExpectedAnswers:
    """The expected tokens of the answers of m models to n prompts.

    Attributes:
        tokens: The expected tokens [n, m], NaN where unknown.
        interval: By model, the factors of the interval, [2, m].
    """

    tokens: Floats
    interval: Floats

    def or_else(self, defaults: Sequence[float]) -> Floats:
        """Return the expected tokens [n, m], a model's default where they are unknown."""
        return np.where(np.isfinite(self.tokens), self.tokens, np.asarray(defaults, dtype=np.float64))


def expected_answers(router: Router, scored: ScoredPrompts, models: Sequence[str]) -> ExpectedAnswers:
    """Return the expected answers of these models to prompts that a router has scored."""
    known = router.answer_tokens
    tokens, interval = np.full((len(scored), len(models)), np.nan), np.ones((2, len(models)))
    columns = {name: column for column, name in enumerate(router.models)}
    pairs = [(place, columns[name]) for place, name in enumerate(models) if name in columns]
    if known is not None and pairs:
        places, own = map(list, zip(*pairs, strict=True))
        probabilities = router.predictors.ensemble.task_probabilities(scored.representation)
        tokens[:, places] = known.predict(probabilities)[:, own]
        interval[:, places] = known.interval[:, own]
    return ExpectedAnswers(tokens, interval)


def _kinds(task_probabilities: Array) -> Array:
    """Return the probabilities, or a single kind where there are none."""
    if task_probabilities.shape[1]:
        return task_probabilities
    return np.ones((len(task_probabilities), 1), dtype=np.float32)
