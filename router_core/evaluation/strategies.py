"""Ways of choosing: for each prompt the share of each model, all on one model but for a lottery."""

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
    """One way of choosing: `shares` [n, m], rows sum to 1; `asked` [n], where the classifier decided."""

    shares: Floats
    decided_pairwise: NDArray[np.bool_]

    @classmethod
    def from_choice(cls, choice: Rows, models: int, asked: NDArray[np.bool_] | None = None) -> Strategy:
        """Return the way that takes the model `choice` [n] of so many."""
        shares = (choice[:, None] == np.arange(models)).astype(np.float64)
        return cls(shares, np.zeros(len(choice), dtype=np.bool_) if asked is None else asked)

    def expected(self, values: Floats) -> Floats:
        """Return what this way gets of values [n, m] on each prompt, [n]; NaN for an unknown one."""
        taken = np.where(self.shares > 0, values, 0.0)
        return np.asarray((self.shares * taken).sum(axis=1))

    def take(self, rows: Rows) -> Strategy:
        """Return the same way on some prompts."""
        return Strategy(self.shares[rows], self.decided_pairwise[rows])


def join_strategies(ways: Sequence[Strategy]) -> Strategy:
    """Return one way for the prompts of several."""
    return Strategy(
        np.concatenate([way.shares for way in ways]),
        np.concatenate([way.decided_pairwise for way in ways]),
    )


def mean_strategy(ways: Sequence[Strategy]) -> Strategy:
    """Return the way that takes one of several at random."""
    shares = np.mean([way.shares for way in ways], axis=0)
    return Strategy(shares, np.any([way.decided_pairwise for way in ways], axis=0))


def baseline_strategies(outcomes: Outcomes) -> dict[str, Strategy]:
    """Return what needs no router: the cheapest model, the best one in hindsight, a lottery, the oracle."""
    n, m = outcomes.scores.shape
    hindsight, _ = fit_additive_effects(outcomes.scores)
    choices = {
        "best single (in hindsight)": np.full(n, int(hindsight.argmax())),
        "cheapest": np.full(n, cheapest(outcomes.costs)),
        "oracle": oracle(outcomes),
    }
    ways = {name: Strategy.from_choice(choice, m) for name, choice in choices.items()}
    return ways | {"random": uniform_random(outcomes)}


def cheapest(costs: Floats) -> int:
    """Return the model with the lowest mean cost, the first one where no cost is known."""
    known = np.isfinite(costs)
    count = known.sum(axis=0)
    means = np.where(known, costs, 0.0).sum(axis=0) / np.maximum(count, 1)
    return int(np.where(count > 0, means, np.inf).argmin())


def oracle(outcomes: Outcomes) -> Rows:
    """Return each prompt's best model [n], the cheapest of several."""
    costs = np.where(outcomes.best, np.nan_to_num(outcomes.costs, nan=np.finfo(np.float64).max), np.inf)
    return np.asarray(costs.argmin(axis=1), dtype=np.int64)


def uniform_random(outcomes: Outcomes) -> Strategy:
    """Return the way that draws among the judged models of each prompt."""
    judged = outcomes.judged.astype(np.float64)
    shares = judged / np.maximum(judged.sum(axis=1, keepdims=True), 1.0)
    return Strategy(shares, np.zeros(len(outcomes), dtype=np.bool_))
