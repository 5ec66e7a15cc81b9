"""Ways of choosing: for each prompt the share of each model, all on one model but for a lottery."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router_core.evaluation.outcomes import Outcomes
from router_core.predictors.targets import decompose

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Way:
    """One way of choosing: `shares` [n, m], rows sum to 1; `asked` [n], where the classifier decided."""

    shares: Floats
    asked: NDArray[np.bool_]

    @classmethod
    def choosing(cls, choice: Rows, models: int, asked: NDArray[np.bool_] | None = None) -> Way:
        """Return the way that takes the model `choice` [n] of so many."""
        shares = (choice[:, None] == np.arange(models)).astype(np.float64)
        return cls(shares, np.zeros(len(choice), dtype=np.bool_) if asked is None else asked)

    def of(self, values: Floats) -> Floats:
        """Return what this way gets of values [n, m] on each prompt, [n]; NaN for an unknown one."""
        taken = np.where(self.shares > 0, values, 0.0)
        return np.asarray((self.shares * taken).sum(axis=1))

    def take(self, rows: Rows) -> Way:
        """Return the same way on some prompts."""
        return Way(self.shares[rows], self.asked[rows])


def joined(ways: Sequence[Way]) -> Way:
    """Return one way for the prompts of several."""
    return Way(
        np.concatenate([way.shares for way in ways]),
        np.concatenate([way.asked for way in ways]),
    )


def mean_way(ways: Sequence[Way]) -> Way:
    """Return the way that takes one of several at random."""
    shares = np.mean([way.shares for way in ways], axis=0)
    return Way(shares, np.any([way.asked for way in ways], axis=0))


def without_a_router(outcomes: Outcomes) -> dict[str, Way]:
    """Return what needs no router: the cheapest model, the best one in hindsight, a lottery, the oracle."""
    n, m = outcomes.scores.shape
    hindsight, _ = decompose(outcomes.scores)
    choices = {
        "best single (in hindsight)": np.full(n, int(hindsight.argmax())),
        "cheapest": np.full(n, cheapest(outcomes.costs)),
        "oracle": oracle(outcomes),
    }
    ways = {name: Way.choosing(choice, m) for name, choice in choices.items()}
    return ways | {"random": lottery(outcomes)}


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


def lottery(outcomes: Outcomes) -> Way:
    """Return the way that draws among the judged models of each prompt."""
    judged = outcomes.judged.astype(np.float64)
    shares = judged / np.maximum(judged.sum(axis=1, keepdims=True), 1.0)
    return Way(shares, np.zeros(len(outcomes), dtype=np.bool_))
