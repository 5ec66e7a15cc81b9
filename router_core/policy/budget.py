"""Choice within a budget: the highest sum of scores for a limited mean cost, by a Lagrange multiplier.

Each prompt takes the model with the highest score less multiplier times cost. For the money that is then
spent, no other choice has a higher sum of scores. A bisection finds the smallest multiplier that keeps within
the budget. The rest of the budget is spent on the prompts that gain most per dollar if they switch to their
model at a slightly smaller multiplier.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]

#: The steps of the bisection.
_STEPS = 60


def choose_within_budget(scores: Floats, costs: Floats, *, limit: float) -> NDArray[np.int64]:
    """Return the index of each prompt's model, int64 [n], such that the mean cost is within `limit`.

    If even the cheapest choice costs more than the limit, it is returned.

    Args:
        scores: The scores, [n, m], -inf for a model without a prediction.
        costs: The expected costs, finite dollars, [n, m].
        limit: The highest mean cost of a prompt, dollars.
    """
    low, high = 0.0, _multiplier_of_cheapest_choice(scores, costs)
    if not len(scores) or _mean_cost(scores, costs, low) <= limit:
        return _choice(scores, costs, low)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if _mean_cost(scores, costs, middle) <= limit else (middle, high)
    return _spend_remainder(scores, costs, _choice(scores, costs, high), _choice(scores, costs, low), limit)


def _spend_remainder(
    scores: Floats, costs: Floats, cheap: NDArray[np.int64], dear: NDArray[np.int64], limit: float
) -> NDArray[np.int64]:
    """Return the cheap choice [n], but the dear one for the highest gains per dollar within the limit."""
    rows = np.arange(len(scores))
    extra = costs[rows, dear] - costs[rows, cheap]
    gain = np.where(cheap == dear, 0.0, scores[rows, dear] - scores[rows, cheap])
    order = np.argsort(-gain / np.maximum(extra, 1e-30), kind="stable")
    slack = limit * len(rows) - costs[rows, cheap].sum()
    upgraded = order[np.cumsum(extra[order]) <= slack]
    choice = cheap.copy()
    choice[upgraded] = dear[upgraded]
    return choice


def _choice(scores: Floats, costs: Floats, multiplier: float) -> NDArray[np.int64]:
    """Return the best model of each prompt for a multiplier (score per dollar); of equals, the cheapest."""
    utility = scores - multiplier * costs
    best = utility.max(axis=1, keepdims=True)
    return np.asarray(np.where(utility >= best, costs, np.inf).argmin(axis=1))


def _mean_cost(scores: Floats, costs: Floats, multiplier: float) -> float:
    return float(costs[np.arange(len(costs)), _choice(scores, costs, multiplier)].mean())


def _multiplier_of_cheapest_choice(scores: Floats, costs: Floats) -> float:
    """Return a multiplier so large that every prompt takes its cheapest model, whatever the scores."""
    known = np.where(np.isfinite(scores), scores, np.nan)
    spread = float(np.nanmax(known) - np.nanmin(known)) if np.isfinite(scores).any() else 0.0
    steps = np.diff(np.sort(costs, axis=1), axis=1)
    return 2 * spread / float(steps[steps > 0].min()) if (steps > 0).any() else 0.0
