"""The report of an evaluation: every strategy, curve, calibration and confusion from a router's outputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from router_core.data.splits import assign_folds
from router_core.evaluation.best_constant import ROUTER, best_constants, name_of
from router_core.evaluation.cost_quality_curves import cost_quality_curves, two_model_estimates
from router_core.evaluation.knn_comparison import knn_comparisons
from router_core.evaluation.luck import oracle_luck
from router_core.evaluation.metrics.bootstrap import EstimateWithError
from router_core.evaluation.metrics.calibration import (
    NONE,
    confusion,
    pairwise_calibration,
    score_calibration,
)
from router_core.evaluation.metrics.curves import equal_quality_strategy
from router_core.evaluation.metrics.threshold_sweep import threshold_points
from router_core.evaluation.result import DataSummary, Evaluation, RouterSummary
from router_core.evaluation.router_outputs import RouterOutputs
from router_core.evaluation.strategies import Strategy, baseline_strategies, mean_strategy
from router_core.evaluation.strategy_results import (
    BEST_SINGLE,
    IN_HINDSIGHT,
    ORACLE,
    StrategyResult,
    strategy_results,
)
from router_core.evaluation.verdict import verdict
from router_core.monitoring.familiarity import Familiarity

#: A category with fewer prompts gets no results of its own.
_MIN_CATEGORY = 10
#: The random splits in halves over which the cost at equal quality is averaged.
_SPLITS = 10


def build_report(
    outputs: RouterOutputs,
    prompts: Sequence[str],
    data: DataSummary,
    router: RouterSummary,
    *,
    budget: float | None = None,
    seed: int = 0,
) -> Evaluation:
    """Compute all results of an evaluation.

    Args:
        outputs: The choices and predictions on n prompts.
        prompts: The texts of the prompts [n], which are split in halves.
        data: The summary of the labelled rows.
        router: The summary of the router.
        budget: What policy `budget` may spend on a thousand prompts, in dollars.
        seed: The seed of the bootstrap and of the splits in halves.
    """
    outcomes, best_single = outputs.outcomes, outputs.strategies[BEST_SINGLE]
    constants, comparisons = best_constants(outcomes, outputs.strategies, seed=seed)
    strategies = {
        **outputs.strategies,
        **baseline_strategies(outcomes),
        **constants,
        **_equal_quality_strategies(outputs, prompts, seed=seed),
    }
    ordered = {name: strategies[name] for name in sorted(strategies, key=_position)}
    results = strategy_results(outcomes, ordered, seed=seed)
    familiarity = Familiarity.of(outputs.novelty)
    share = familiarity.share if familiarity else None
    return Evaluation(
        data=data,
        router=router,
        strategies=results,
        verdicts=_verdicts(results, outputs.strategies, unfamiliar=share.value if share else None),
        budget=budget,
        trades=_trades(outputs, strategies, seed=seed),
        by_category=_by_category(outputs, ordered, seed=seed),
        curves=cost_quality_curves(outcomes, outputs.sweeps, best_single, seed=seed),
        two_models=_two_models(outputs, seed=seed),
        thresholds=threshold_points(outcomes, outputs.pairwise),
        gaps=tuple(outputs.pairwise.gap[np.isfinite(outputs.pairwise.gap)].tolist()),
        score_calibration=score_calibration(outcomes, outputs.predicted),
        pairwise_calibration=pairwise_calibration(outcomes, outputs.pairwise),
        confusion=confusion(outcomes.categories, outputs.detected),
        seed=seed,
        best_constants=comparisons,
        knn=knn_comparisons(outcomes, outputs.strategies, seed=seed),
        luck=oracle_luck(outcomes, best_single, seed=seed),
    )


def _verdicts(
    results: Sequence[StrategyResult], evaluated: Iterable[str], *, unfamiliar: float | None
) -> dict[str, str]:
    """Return the sentence on the router under each policy among the evaluated strategies."""
    by_name = {result.name: result for result in results}
    policies = [name.removeprefix(ROUTER) for name in evaluated if name.startswith(ROUTER)]
    return {policy: verdict(policy, by_name, unfamiliar=unfamiliar) for policy in policies}


def _trades(
    outputs: RouterOutputs, strategies: Mapping[str, Strategy], *, seed: int
) -> tuple[StrategyResult, ...]:
    """Return the results of the trades of quality for cost; none where no cost is known."""
    if not np.isfinite(outputs.outcomes.costs).any():
        return ()
    compared = {name: strategies[name] for name in (BEST_SINGLE, ORACLE)}
    results = strategy_results(outputs.outcomes, {**compared, **outputs.trades}, seed=seed, win_rates=False)
    return results[len(compared) :]


def _equal_quality_strategies(
    outputs: RouterOutputs, prompts: Sequence[str], *, seed: int
) -> dict[str, Strategy]:
    """Return the equal-quality strategy of each sweep, averaged over random halves; none without costs."""
    outcomes, best_single = outputs.outcomes, outputs.strategies[BEST_SINGLE]
    if not np.isfinite(outcomes.costs).any():
        return {}
    halves = [assign_folds(prompts, folds=2, seed=seed + split) for split in range(_SPLITS)]
    return {
        f"{name}: equal quality": mean_strategy(
            [equal_quality_strategy(sweep, outcomes, best_single, half) for half in halves]
        )
        for name, sweep in outputs.sweeps.items()
    }


_ORDER = (
    BEST_SINGLE,
    IN_HINDSIGHT,
    "cheapest",
    "random",
    "category best",
    "kNN",
    "kNN: equal quality",
    "router: quality",
    name_of("quality"),
    "router: saving",
    name_of("saving"),
    "router: weighted",
    name_of("weighted"),
    "router: budget",
    "router: equal quality",
    "router: cargo",
    "oracle",
)


def _position(strategy: str) -> int:
    """Return the position of a strategy in tables; one that is not listed comes before the router."""
    return _ORDER.index(strategy) if strategy in _ORDER else _ORDER.index("kNN: equal quality")


def _by_category(
    outputs: RouterOutputs, strategies: dict[str, Strategy], *, seed: int
) -> dict[str, tuple[StrategyResult, ...]]:
    """Return the results in each category with enough prompts.

    A prompt's category is the labelled one, or the detected one where it has no label.
    """
    outcomes = outputs.outcomes
    pairs = zip(outcomes.categories, outputs.detected, strict=True)
    categories = np.array([labelled or detected or NONE for labelled, detected in pairs], dtype=object)
    results = {}
    for category in sorted(set(categories)):
        rows = np.flatnonzero(categories == category)
        if len(rows) >= _MIN_CATEGORY:
            own = {name: strategy.take(rows) for name, strategy in strategies.items()}
            results[category] = strategy_results(outcomes.take(rows), own, seed=seed, win_rates=False)
    return results


def _two_models(outputs: RouterOutputs, *, seed: int) -> dict[str, dict[str, EstimateWithError]]:
    """Return RouteLLM's metrics if there are two models; the strong one is the best single model."""
    if len(outputs.outcomes.models) != 2:
        return {}
    strong = int(outputs.strategies[BEST_SINGLE].shares.sum(axis=0).argmax())
    predicted = outputs.predicted
    advantages = {"router": predicted[:, strong] - predicted[:, 1 - strong]}
    return two_model_estimates(outputs.outcomes, advantages, strong=strong, seed=seed)
