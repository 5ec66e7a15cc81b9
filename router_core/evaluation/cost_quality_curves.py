"""Cost-quality curves of an evaluation with their AIQ, and RouteLLM's metrics, with standard errors."""

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
Rows = NDArray[np.int64]

SINGLE_MODELS = "single models"
#: RouteLLM's metrics are computed replicate by replicate in Python, so there are fewer of them.
_TWO_MODEL_REPLICATES = 200


@dataclass(frozen=True)
class CostQualityCurve:
    """A cost-quality curve.

    Attributes:
        points: The names of the points: a weight of the cost, or a model on the curve of single models.
        costs: The points' mean costs in dollars for 1,000 prompts.
        qualities: Their mean scores.
        aiq: The average improvement in quality.
        reached_at: The lowest cost at which the best single model's quality is reached, relative to its cost.
    """

    points: tuple[str, ...]
    costs: tuple[float, ...]
    qualities: tuple[float, ...]
    aiq: EstimateWithError
    reached_at: float


def cost_quality_curves(
    outcomes: Outcomes, sweeps: Mapping[str, CostWeightSweep], best_single: Strategy, *, seed: int = 0
) -> dict[str, CostQualityCurve]:
    """Return the curve of each sweep by name, and one through the single models.

    AIQ is taken between the costs of the cheapest and of the dearest single model. Empty where no cost is
    known.
    """
    if not np.isfinite(outcomes.costs).any():
        return {}
    single_models = CostWeightSweep(np.tile(np.arange(len(outcomes.models))[:, None], (1, len(outcomes))))
    all_sweeps = {SINGLE_MODELS: single_models, **sweeps}
    bootstrap = Bootstrap(outcomes.prompt_index, seed)
    # All columns are added before the first estimate: the bootstrap resamples them together.
    columns = {name: _add_columns(bootstrap, sweep, outcomes) for name, sweep in all_sweeps.items()}
    builder = _CurveBuilder(bootstrap, columns[SINGLE_MODELS].costs, _lowest_score(outcomes))
    return {
        name: builder.curve(
            columns[name],
            outcomes.models if name == SINGLE_MODELS else tuple(f"{weight:.4g}" for weight in WEIGHTS),
            reached_at=cost_at_equal_quality(sweep, outcomes, best_single),
        )
        for name, sweep in all_sweeps.items()
    }


@dataclass(frozen=True)
class _Columns:
    """The columns of a sweep's costs and scores in the bootstrap, one of each for every weight."""

    costs: slice
    scores: slice


def _add_columns(bootstrap: Bootstrap, sweep: CostWeightSweep, outcomes: Outcomes) -> _Columns:
    scores, costs = sweep.scores_and_costs(outcomes)
    cost_columns = [bootstrap.add(values * 1000) for values in costs]
    score_columns = [bootstrap.add(values) for values in scores]
    return _Columns(
        slice(cost_columns[0], cost_columns[-1] + 1), slice(score_columns[0], score_columns[-1] + 1)
    )


def _lowest_score(outcomes: Outcomes) -> float:
    return float(outcomes.scores[outcomes.judged].min()) if outcomes.judged.any() else 0.0


@dataclass(frozen=True)
class _CurveBuilder:
    bootstrap: Bootstrap
    #: the columns of the single models' costs
    single_costs: slice
    #: the quality of the null router
    floor: float

    def curve(self, columns: _Columns, points: tuple[str, ...], *, reached_at: float) -> CostQualityCurve:
        sample = self.bootstrap.sample
        return CostQualityCurve(
            points,
            tuple(sample[columns.costs].tolist()),
            tuple(sample[columns.scores].tolist()),
            self.bootstrap.estimate(lambda means: np.array([self._aiq(row, columns) for row in means])),
            reached_at,
        )

    def _aiq(self, means: Floats, columns: _Columns) -> float:
        """Return the AIQ from the means of all columns, NaN where no single model's cost is known."""
        single = means[self.single_costs][np.isfinite(means[self.single_costs])]
        if not len(single):
            return float("nan")
        return aiq(
            means[columns.costs],
            means[columns.scores],
            low=float(single.min()),
            high=float(single.max()),
            floor=self.floor,
        )


def two_model_estimates(
    outcomes: Outcomes, advantages: Mapping[str, Floats], *, strong: int, seed: int = 0
) -> dict[str, dict[str, EstimateWithError]]:
    """Return RouteLLM's APGR and CPT by router, with bootstrapped standard errors.

    Args:
        outcomes: The outcomes of two models.
        advantages: The predicted advantage [n] of the strong model over the weak one, by router.
        strong: The column of the strong model, 0 or 1.
        seed: The seed of the bootstrap.
    """
    strong_scores, weak_scores = outcomes.scores[:, strong], outcomes.scores[:, 1 - strong]
    _, prompt_index = np.unique(outcomes.prompt_index, return_inverse=True)
    random = np.random.default_rng(seed)
    replicates = [_draw_rows(random, prompt_index) for _ in range(_TWO_MODEL_REPLICATES)]
    estimates = {}
    for name, advantage in advantages.items():
        sample = two_model_metrics(advantage, strong_scores, weak_scores)
        replicated = [
            two_model_metrics(advantage[rows], strong_scores[rows], weak_scores[rows]) for rows in replicates
        ]
        estimates[name] = {
            metric: EstimateWithError(value, _standard_deviation([one[metric] for one in replicated]))
            for metric, value in sample.items()
        }
    return estimates


def _draw_rows(random: np.random.Generator, prompt_index: Rows) -> Rows:
    """Return the rows of a bootstrap replicate: prompts drawn with replacement, each with all its rows."""
    prompts = int(prompt_index.max()) + 1
    multiplicities = np.bincount(random.integers(0, prompts, prompts), minlength=prompts)
    return np.repeat(np.arange(len(prompt_index)), multiplicities[prompt_index])


def _standard_deviation(values: list[float]) -> float:
    known = np.array(values)[np.isfinite(values)]
    return float(known.std(ddof=1)) if len(known) > 1 else float("nan")
