"""Cost-quality curves: what is reached at each weight of the cost, and one number for the whole curve (AIQ).

RouterBench (arXiv 2403.12031, section 3): a curve is the non-decreasing convex hull of its points; the
average improvement in quality is its mean height between the lowest and the highest cost of a single model.
Left of the first point stands the null router, which costs nothing and gets the lowest score there is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router_core.evaluation.outcomes import Outcomes
from router_core.evaluation.strategies import Strategy

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

#: Weights of the cost, from none to one under which only the cost counts.
WEIGHTS = (0.0, *(float(weight) for weight in np.geomspace(0.003, 6.0, 77)), 1e6)


@dataclass(frozen=True)
class CostWeightSweep:
    """The model chosen for each prompt at each weight, [weights, n]."""

    choice: Rows

    def take(self, rows: Rows) -> CostWeightSweep:
        """Return the same sweep over some prompts."""
        return CostWeightSweep(self.choice[:, rows])

    def scores_and_costs(self, outcomes: Outcomes) -> tuple[Floats, Floats]:
        """Return what is got at each weight on each prompt, [weights, n] both."""
        rows = np.arange(len(outcomes))
        return outcomes.scores[rows, self.choice], outcomes.costs[rows, self.choice]


def join_sweeps(sweeps: Sequence[CostWeightSweep]) -> CostWeightSweep:
    """Return one sweep over the prompts of several."""
    return CostWeightSweep(np.concatenate([sweep.choice for sweep in sweeps], axis=1))


def hull(costs: Floats, qualities: Floats, *, floor: float) -> tuple[Floats, Floats]:
    """Return the corners of the non-decreasing convex hull of points and the null router (0, floor)."""
    known = np.isfinite(costs) & np.isfinite(qualities)
    order = np.lexsort((-qualities[known], costs[known]))
    corners: list[tuple[float, float]] = [(0.0, floor)]
    for cost, quality in zip(costs[known][order].tolist(), qualities[known][order].tolist(), strict=True):
        if quality <= corners[-1][1]:
            continue
        if cost == corners[-1][0]:
            corners.pop()
        while len(corners) > 1 and not _above(corners[-2], corners[-1], (cost, quality)):
            corners.pop()
        corners.append((cost, quality))
    return np.array([cost for cost, _ in corners]), np.array([quality for _, quality in corners])


def _above(left: tuple[float, float], middle: tuple[float, float], right: tuple[float, float]) -> bool:
    """Return whether the middle point stands above the line through its neighbours."""
    rise = (middle[1] - left[1]) * (right[0] - left[0])
    return rise > (right[1] - left[1]) * (middle[0] - left[0])


def aiq(costs: Floats, qualities: Floats, *, low: float, high: float, floor: float) -> float:
    """Return the mean height of a curve between two costs, NaN if they are no interval."""
    if not (np.isfinite(costs) & np.isfinite(qualities)).any() or not low < high:
        return float("nan")
    corner_costs, corner_qualities = hull(costs, qualities, floor=floor)
    inside = (corner_costs > low) & (corner_costs < high)
    grid = np.concatenate([[low], corner_costs[inside], [high]])
    # Right of the last corner np.interp stays at its height, as the definition asks.
    heights = np.interp(grid, corner_costs, corner_qualities)
    return float(np.trapezoid(heights, grid) / (high - low))


def equal_quality_strategy(
    sweep: CostWeightSweep, outcomes: Outcomes, best_single: Strategy, half: Rows
) -> Strategy:
    """Return the way that spends least without falling behind the best single model.

    The weight is chosen on one half of the prompts, `half` [n] of 0 and 1, and used on the other, both ways;
    where no weight keeps up, the best single model stays.
    """
    scores, costs = sweep.scores_and_costs(outcomes)
    gains = scores - best_single.expected(outcomes.scores)
    shares = best_single.shares.copy()
    for own in (0, 1):
        weight = _cheapest_not_behind(gains[:, half != own], costs[:, half != own])
        if weight is not None:
            rows = np.flatnonzero(half == own)
            shares[rows] = Strategy.from_choice(sweep.choice[weight, rows], len(outcomes.models)).shares
    return Strategy(shares, np.zeros(len(outcomes), dtype=np.bool_))


def cost_at_equal_quality(sweep: CostWeightSweep, outcomes: Outcomes, best_single: Strategy) -> float:
    """Return the lowest cost, relative to the best single model's, at which its quality is reached.

    The weight is chosen on the prompts it is judged on, as is usual and a little too kind; NaN if never.
    """
    scores, costs = sweep.scores_and_costs(outcomes)
    weight = _cheapest_not_behind(scores - best_single.expected(outcomes.scores), costs)
    own = best_single.expected(outcomes.costs)
    if weight is None or not np.isfinite(own).any():
        return float("nan")
    both = np.isfinite(own) & np.isfinite(costs[weight])
    whole = own[both].sum()
    return float(costs[weight][both].sum() / whole) if whole > 0 else float("nan")


def _cheapest_not_behind(gains: Floats, costs: Floats) -> int | None:
    """Return the weight with the lowest mean cost among those with no mean loss, [weights, n] both."""
    means = _row_means(costs)
    kept = np.flatnonzero((_row_means(gains) >= 0) & np.isfinite(means))
    return int(kept[means[kept].argmin()]) if len(kept) else None


def _row_means(values: Floats) -> Floats:
    known = np.isfinite(values)
    count = known.sum(axis=1)
    return np.where(count > 0, np.where(known, values, 0.0).sum(axis=1) / np.maximum(count, 1), np.nan)
