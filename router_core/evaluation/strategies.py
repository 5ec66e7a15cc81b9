"""Strategies: which model a router or a baseline chooses for each prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router_core.evaluation.outcomes import Outcomes
from router_core.predictors.targets import fit_additive_effects

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Strategy:
    """The choices of a strategy on n prompts, as probabilities over m models.

    Attributes:
        shares: The probability of each model on each prompt, [n, m]; rows sum to 1. Only random strategies
            have other values than 0 and 1.
        decided_pairwise: Where the pairwise classifier decided between the two highest predictions, [n].
    """

    shares: Floats
    decided_pairwise: NDArray[np.bool_]

    @classmethod
    def from_choice(
        cls, choice: Rows, models: int, decided_pairwise: NDArray[np.bool_] | None = None
    ) -> Strategy:
        """Return the strategy that chooses the model in column `choice` [n] out of so many models."""
        shares = (choice[:, None] == np.arange(models)).astype(np.float64)
        nowhere = np.zeros(len(choice), dtype=np.bool_)
        return cls(shares, nowhere if decided_pairwise is None else decided_pairwise)

    def expected(self, values: Floats) -> Floats:
        """Return the expectation [n] of values [n, m] under the choices; NaN if one that counts is NaN."""
        chosen = np.where(self.shares > 0, values, 0.0)
        return np.asarray((self.shares * chosen).sum(axis=1))

    def take(self, rows: Rows) -> Strategy:
        """Return the strategy on the prompts with these row numbers."""
        return Strategy(self.shares[rows], self.decided_pairwise[rows])


def join_strategies(parts: Sequence[Strategy]) -> Strategy:
    """Return one strategy for the prompts of all parts, one part after the other."""
    return Strategy(
        np.concatenate([part.shares for part in parts]),
        np.concatenate([part.decided_pairwise for part in parts]),
    )


def mean_strategy(strategies: Sequence[Strategy]) -> Strategy:
    """Return the strategy that follows one of several strategies, drawn at random for each prompt."""
    shares = np.mean([strategy.shares for strategy in strategies], axis=0)
    return Strategy(shares, np.any([strategy.decided_pairwise for strategy in strategies], axis=0))


def baseline_strategies(outcomes: Outcomes) -> dict[str, Strategy]:
    """Return the baselines that need no router, by name.

    These are the best single model in hindsight, the cheapest model, the oracle, and a uniformly random
    model.
    """
    n, m = outcomes.scores.shape
    mean_scores, _ = fit_additive_effects(outcomes.scores)
    choices = {
        "best single (in hindsight)": np.full(n, int(mean_scores.argmax())),
        "cheapest": np.full(n, cheapest(outcomes.costs)),
        "oracle": oracle(outcomes),
    }
    fixed = {name: Strategy.from_choice(choice, m) for name, choice in choices.items()}
    return fixed | {"random": uniform_random(outcomes)}


def cheapest(costs: Floats) -> int:
    """Return the column of the model with the lowest mean cost; the first one where no cost is known."""
    known = np.isfinite(costs)
    count = known.sum(axis=0)
    means = np.where(known, costs, 0.0).sum(axis=0) / np.maximum(count, 1)
    return int(np.where(count > 0, means, np.inf).argmin())


def oracle(outcomes: Outcomes) -> Rows:
    """Return the column of the model with the highest score on each prompt [n], of a tie the cheapest."""
    costs = np.where(outcomes.best, np.nan_to_num(outcomes.costs, nan=np.finfo(np.float64).max), np.inf)
    return np.asarray(costs.argmin(axis=1), dtype=np.int64)


def uniform_random(outcomes: Outcomes) -> Strategy:
    """Return the strategy that draws uniformly among the judged models of each prompt."""
    judged = outcomes.judged.astype(np.float64)
    shares = judged / np.maximum(judged.sum(axis=1, keepdims=True), 1.0)
    return Strategy(shares, np.zeros(len(outcomes), dtype=np.bool_))
