"""A budget for a chunk of prompts: which model each of them takes.

Money has a price, in score per dollar (a Lagrange multiplier), and each prompt takes the model with the
highest score less price times cost: for the money that is spent, no other choice has a higher sum of scores.
One price seldom spends the budget to the end, so the prompts that gain most choose at the next lower one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]

_HALVINGS = 60


def choose_within_budget(scores: Floats, costs: Floats, *, limit: float) -> NDArray[np.int64]:
    """Return each prompt's model [n], such that the mean cost stays within `limit`.

    `scores` [n, m] are -inf for a model without a prediction, `costs` [n, m] finite dollars. Where even the
    cheapest choice costs more than the limit, it is taken.
    """
    low, high = 0.0, _price_of_cheapest_choice(scores, costs)
    if not len(scores) or _mean_cost(scores, costs, low) <= limit:
        return _choice(scores, costs, low)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if _mean_cost(scores, costs, middle) <= limit else (middle, high)
    return _spend_remainder(scores, costs, _choice(scores, costs, high), _choice(scores, costs, low), limit)


def _spend_remainder(
    scores: Floats, costs: Floats, cheap: NDArray[np.int64], dear: NDArray[np.int64], limit: float
) -> NDArray[np.int64]:
    """Return the cheap choice [n], but the dear one where most is gained by it, while the money lasts."""
    rows = np.arange(len(scores))
    extra = costs[rows, dear] - costs[rows, cheap]
    gain = np.where(cheap == dear, 0.0, scores[rows, dear] - scores[rows, cheap])
    order = np.argsort(-gain / np.maximum(extra, 1e-30), kind="stable")
    slack = limit * len(rows) - costs[rows, cheap].sum()
    upgraded = order[np.cumsum(extra[order]) <= slack]
    choice = cheap.copy()
    choice[upgraded] = dear[upgraded]
    return choice


def _choice(scores: Floats, costs: Floats, price: float) -> NDArray[np.int64]:
    """Return the best model of each prompt at a price, the cheapest of equals."""
    utility = scores - price * costs
    best = utility.max(axis=1, keepdims=True)
    return np.asarray(np.where(utility >= best, costs, np.inf).argmin(axis=1))


def _mean_cost(scores: Floats, costs: Floats, price: float) -> float:
    return float(costs[np.arange(len(costs)), _choice(scores, costs, price)].mean())


def _price_of_cheapest_choice(scores: Floats, costs: Floats) -> float:
    """Return a price at which every prompt takes its cheapest model, however much better another is."""
    known = np.where(np.isfinite(scores), scores, np.nan)
    spread = float(np.nanmax(known) - np.nanmin(known)) if np.isfinite(scores).any() else 0.0
    steps = np.diff(np.sort(costs, axis=1), axis=1)
    return 2 * spread / float(steps[steps > 0].min()) if (steps > 0).any() else 0.0
