"""Cost-quality curves of RouterBench (arXiv 2403.12031, section 3), and the cost at equal quality.

A router has one point (mean cost, mean quality) for each weight of the cost. Its curve is the non-decreasing
convex hull of these points and of the null router, which costs nothing and gets the lowest score. The average
improvement in quality (AIQ) is the curve's mean height between the costs of the cheapest and of the dearest
single model.
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
Point = tuple[float, float]

#: The weights of the cost in a sweep, from 0 to one under which only the cost counts.
WEIGHTS = (0.0, *(float(weight) for weight in np.geomspace(0.003, 6.0, 77)), 1e6)


@dataclass(frozen=True)
class CostWeightSweep:
    """The column of the model chosen at each weight of the cost for each prompt, [weights, n]."""

    choice: Rows

    def take(self, rows: Rows) -> CostWeightSweep:
        """Return the sweep over the prompts with these row numbers."""
        return CostWeightSweep(self.choice[:, rows])

    def scores_and_costs(self, outcomes: Outcomes) -> tuple[Floats, Floats]:
        """Return the scores and the costs of the chosen models, both [weights, n]."""
        rows = np.arange(len(outcomes))
        return outcomes.scores[rows, self.choice], outcomes.costs[rows, self.choice]


def join_sweeps(sweeps: Sequence[CostWeightSweep]) -> CostWeightSweep:
    """Return one sweep over the prompts of all sweeps, one after the other."""
    return CostWeightSweep(np.concatenate([sweep.choice for sweep in sweeps], axis=1))


def hull(costs: Floats, qualities: Floats, *, floor: float) -> tuple[Floats, Floats]:
    """Return the non-decreasing convex hull of points and the null router.

    Args:
        costs: The points' costs [n], NaN where unknown.
        qualities: The points' qualities [n], NaN where unknown.
        floor: The quality of the null router, whose cost is 0.

    Returns:
        The costs and the qualities of the hull's corners, both rising.
    """
    known = np.isfinite(costs) & np.isfinite(qualities)
    order = np.lexsort((-qualities[known], costs[known]))
    corners: list[Point] = [(0.0, floor)]
    for cost, quality in zip(costs[known][order].tolist(), qualities[known][order].tolist(), strict=True):
        if quality <= corners[-1][1]:
            continue
        if cost == corners[-1][0]:
            corners.pop()
        while len(corners) > 1 and not _is_above(corners[-2], corners[-1], (cost, quality)):
            corners.pop()
        corners.append((cost, quality))
    return np.array([cost for cost, _ in corners]), np.array([quality for _, quality in corners])


def _is_above(left: Point, middle: Point, right: Point) -> bool:
    """Return whether the middle point is above the line through the left and the right one."""
    rise = (middle[1] - left[1]) * (right[0] - left[0])
    return rise > (right[1] - left[1]) * (middle[0] - left[0])


def aiq(costs: Floats, qualities: Floats, *, low: float, high: float, floor: float) -> float:
    """Return the average improvement in quality, the mean height of a curve between two costs.

    Args:
        costs: The costs of the curve's points [n].
        qualities: Their qualities [n].
        low: The cost at which the interval begins.
        high: The cost at which it ends.
        floor: The quality of the null router.

    Returns:
        The mean height; NaN without a known point, or unless `low` is below `high`.
    """
    if not (np.isfinite(costs) & np.isfinite(qualities)).any() or not low < high:
        return float("nan")
    corner_costs, corner_qualities = hull(costs, qualities, floor=floor)
    inside = (corner_costs > low) & (corner_costs < high)
    grid = np.concatenate([[low], corner_costs[inside], [high]])
    # Beyond the last corner np.interp stays at its height, as the definition demands.
    heights = np.interp(grid, corner_costs, corner_qualities)
    return float(np.trapezoid(heights, grid) / (high - low))


def equal_quality_strategy(
    sweep: CostWeightSweep, outcomes: Outcomes, best_single: Strategy, half: Rows
) -> Strategy:
    """Return the cheapest strategy of a sweep that is as good as the best single model (two-fold).

    The weight of the cost is chosen on one half of the prompts and applied to the other, for both halves in
    turn. Where no weight reaches the best single model's mean score, the half stays with that model.

    Args:
        sweep: The choices at each weight.
        outcomes: The scores and costs of all models.
        best_single: The strategy of always choosing the best single model.
        half: The half of each prompt, 0 or 1, [n].
    """
    scores, costs = sweep.scores_and_costs(outcomes)
    gains = scores - best_single.expected(outcomes.scores)
    shares = best_single.shares.copy()
    for applied in (0, 1):
        weight = _cheapest_without_loss(gains[:, half != applied], costs[:, half != applied])
        if weight is not None:
            rows = np.flatnonzero(half == applied)
            shares[rows] = Strategy.from_choice(sweep.choice[weight, rows], len(outcomes.models)).shares
    return Strategy(shares, np.zeros(len(outcomes), dtype=np.bool_))


def cost_at_equal_quality(sweep: CostWeightSweep, outcomes: Outcomes, best_single: Strategy) -> float:
    """Return the lowest cost at which a sweep is as good as the best single model, relative to its cost.

    The weight is chosen on the same prompts on which the cost is measured. This is usual and slightly
    optimistic. NaN if no weight reaches the best single model's mean score.
    """
    scores, costs = sweep.scores_and_costs(outcomes)
    weight = _cheapest_without_loss(scores - best_single.expected(outcomes.scores), costs)
    best_costs = best_single.expected(outcomes.costs)
    if weight is None or not np.isfinite(best_costs).any():
        return float("nan")
    both = np.isfinite(best_costs) & np.isfinite(costs[weight])
    total = best_costs[both].sum()
    return float(costs[weight][both].sum() / total) if total > 0 else float("nan")


def _cheapest_without_loss(gains: Floats, costs: Floats) -> int | None:
    """Return the row of the weight with the lowest mean cost among those with a mean gain of 0 or more.

    Args:
        gains: Scores less the best single model's, [weights, n].
        costs: Costs [weights, n].
    """
    mean_costs = _row_means(costs)
    eligible = np.flatnonzero((_row_means(gains) >= 0) & np.isfinite(mean_costs))
    return int(eligible[mean_costs[eligible].argmin()]) if len(eligible) else None


def _row_means(values: Floats) -> Floats:
    known = np.isfinite(values)
    count = known.sum(axis=1)
    return np.where(count > 0, np.where(known, values, 0.0).sum(axis=1) / np.maximum(count, 1), np.nan)
