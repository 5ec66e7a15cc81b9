"""Curve lines: the points of each cost-quality curve, its AIQ with an error, and where it meets the best."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router_core.evaluation.metrics.bootstrap import Bootstrap, EstimateWithError
from router_core.evaluation.metrics.curves import WEIGHTS, CostWeightSweep, aiq, cost_at_equal_quality
from router_core.evaluation.metrics.gap_recovered import two_model_metrics
from router_core.evaluation.outcomes import Outcomes
from router_core.evaluation.strategies import Strategy

Floats = NDArray[np.float64]

SINGLE_MODELS = "single models"
#: Loops over replicates in Python, so fewer of them than elsewhere.
_TWO_MODEL_REPLICATES = 200


@dataclass(frozen=True)
class CostQualityCurve:
    """One curve: what each weight (or each single model, by name) costs for 1,000 prompts, and reaches.

    `reached_at` is the lowest cost, relative to the best single model's, at which its quality is reached.
    """

    points: tuple[str, ...]
    costs: tuple[float, ...]
    qualities: tuple[float, ...]
    aiq: EstimateWithError
    reached_at: float


def cost_quality_curves(
    outcomes: Outcomes, sweeps: Mapping[str, CostWeightSweep], best_single: Strategy, *, seed: int = 0
) -> dict[str, CostQualityCurve]:
    """Return a curve for each sweep, and one through the single models; none where no cost is known.

    All are measured between the costs of the cheapest and of the dearest single model.
    """
    if not np.isfinite(outcomes.costs).any():
        return {}
    bootstrap = Bootstrap(outcomes.prompt_index, seed)
    single = CostWeightSweep(np.tile(np.arange(len(outcomes.models))[:, None], (1, len(outcomes))))
    curves = {SINGLE_MODELS: single, **sweeps}
    columns = {name: _add(bootstrap, sweep, outcomes) for name, sweep in curves.items()}
    floor = float(outcomes.scores[outcomes.judged].min()) if outcomes.judged.any() else 0.0
    return {
        name: _curve(
            bootstrap, columns[name], columns[SINGLE_MODELS][0], floor, _names(name, outcomes), reached
        )
        for name, reached in {
            n: cost_at_equal_quality(s, outcomes, best_single) for n, s in curves.items()
        }.items()
    }


def _names(curve: str, outcomes: Outcomes) -> tuple[str, ...]:
    return outcomes.models if curve == SINGLE_MODELS else tuple(f"{weight:.4g}" for weight in WEIGHTS)


def _add(bootstrap: Bootstrap, sweep: CostWeightSweep, outcomes: Outcomes) -> tuple[slice, slice]:
    """Add costs, then scores, of a sweep and return their columns."""
    scores, costs = sweep.scores_and_costs(outcomes)
    first = [bootstrap.add(values * 1000) for values in costs]
    second = [bootstrap.add(values) for values in scores]
    return slice(first[0], first[-1] + 1), slice(second[0], second[-1] + 1)


def _curve(
    bootstrap: Bootstrap,
    columns: tuple[slice, slice],
    single_costs: slice,
    floor: float,
    names: tuple[str, ...],
    reached_at: float,
) -> CostQualityCurve:
    def whole(means: Floats) -> Floats:
        return np.array([_aiq(row, columns, single_costs, floor) for row in means])

    figure = bootstrap.estimate(whole)
    costs, qualities = (bootstrap.sample[own] for own in columns)
    return CostQualityCurve(names, tuple(costs.tolist()), tuple(qualities.tolist()), figure, reached_at)


def _aiq(means: Floats, columns: tuple[slice, slice], single_costs: slice, floor: float) -> float:
    single = means[single_costs][np.isfinite(means[single_costs])]
    if not len(single):
        return float("nan")
    costs, qualities = columns
    return aiq(means[costs], means[qualities], low=float(single.min()), high=float(single.max()), floor=floor)


def two_model_estimates(
    outcomes: Outcomes, advantages: Mapping[str, Floats], *, strong: int, seed: int = 0
) -> dict[str, dict[str, EstimateWithError]]:
    """Return APGR and CPT of each predicted advantage [n] of the strong of two models over the weak one."""
    own, other = outcomes.scores[:, strong], outcomes.scores[:, 1 - strong]
    _, prompt = np.unique(outcomes.prompt_index, return_inverse=True)
    random = np.random.default_rng(seed)
    drawn = [_draw(random, prompt) for _ in range(_TWO_MODEL_REPLICATES)]
    result = {}
    for name, advantage in advantages.items():
        sample = two_model_metrics(advantage, own, other)
        again = [two_model_metrics(advantage[rows], own[rows], other[rows]) for rows in drawn]
        result[name] = {
            key: EstimateWithError(value, _spread([a[key] for a in again])) for key, value in sample.items()
        }
    return result


def _draw(random: np.random.Generator, prompt: NDArray[np.int64]) -> NDArray[np.int64]:
    prompts = int(prompt.max()) + 1
    times = np.bincount(random.integers(0, prompts, prompts), minlength=prompts)
    return np.repeat(np.arange(len(prompt)), times[prompt])


def _spread(values: list[float]) -> float:
    known = np.array(values)[np.isfinite(values)]
    return float(known.std(ddof=1)) if len(known) > 1 else float("nan")
