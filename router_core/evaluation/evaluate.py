"""Evaluating: from a router and labelled prompts that it has not learnt from to an `Evaluation`.

Leak-free by construction: a router knows the prompts that any part of it has learnt from, and rows with such
prompts are left out, or the result is flagged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from router_core.data.labelled_prompts import LabelledPrompt, model_names
from router_core.data.splits import assign_folds, splits
from router_core.errors import LabelsError
from router_core.evaluation.cost_quality_curves import cost_quality_curves, two_model_estimates
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
from router_core.evaluation.router_outputs import RouterOutputs, collect_outputs, join_outputs
from router_core.evaluation.strategies import Strategy, baseline_strategies, mean_strategy
from router_core.evaluation.strategy_results import BEST_SINGLE, StrategyResult, strategy_results
from router_core.router import Router

Array = NDArray[np.float32]

#: A category with fewer prompts is not shown by itself.
_MIN_CATEGORY = 10
#: Splits in halves that the cost at equal quality is averaged over: one alone depends on how it fell.
_SPLITS = 10


def evaluate(
    router: Router,
    rows: Iterable[LabelledPrompt],
    vectors: Array,
    *,
    include_training: bool = False,
    quality_floor: float = 0.0,
    threads: int = 1,
    seed: int = 0,
) -> Evaluation:
    """Evaluate a router on labelled prompts and their vectors, float32 [n, d] in the order of the rows.

    Rows whose prompts it has learnt from are left out and counted; with `include_training` they stay in and
    the result is flagged. Raises LabelsError if no row is left.
    """
    rows = list(rows)
    learnt = router.training_prompts.contains([row.prompt for row in rows])
    kept = np.ones(len(rows), dtype=np.bool_) if include_training else ~learnt
    if len(rows) and not kept.any():
        raise LabelsError(
            f"the router has learnt from the prompts of all {len(rows):,} rows: evaluate it on others"
            " (--include-training takes them nonetheless, and says so)"
        )
    judged = np.array([bool(row.scores.keys() & set(router.models)) for row in rows], dtype=np.bool_)
    used = np.flatnonzero(kept & judged)
    if not len(used):
        raise LabelsError("no row has a score of a model of the router")
    evidence = collect_outputs(
        router,
        [rows[row] for row in used],
        vectors[used],
        router.models,
        quality_floor=quality_floor,
        threads=threads,
    )
    data = summarise_data(rows, evidence, models=router.models)
    left_out = replace(
        data,
        learnt_from=int(learnt.sum()),
        training_included=include_training,
        without_scores=int((kept & ~judged).sum()),
    )
    prompts = [rows[row].prompt for row in used]
    return build_report(evidence, prompts, left_out, summarise_routers([router], router.models), seed=seed)


def cross_validate(
    rows: Sequence[LabelledPrompt],
    vectors: Array,
    train: Callable[[Sequence[LabelledPrompt], Array], Router],
    *,
    folds: int = 5,
    seed: int = 0,
    quality_floor: float = 0.0,
    threads: int = 1,
) -> Evaluation:
    """Evaluate on each fold, split by prompt, the router that `train` makes of the others."""
    models = model_names(rows)
    parts, routers, order = [], [], []
    for learnt, held_out in splits(assign_folds([row.prompt for row in rows], folds=folds, seed=seed)):
        router = train([rows[row] for row in learnt], vectors[learnt])
        own = [rows[row] for row in held_out]
        parts.append(
            collect_outputs(
                router, own, vectors[held_out], models, quality_floor=quality_floor, threads=threads
            )
        )
        routers.append(router)
        order.append(held_out)
    evidence = join_outputs(parts, np.concatenate(order))
    prompts = [row.prompt for row in rows]
    return build_report(
        evidence,
        prompts,
        summarise_data(rows, evidence, models=models),
        summarise_routers(routers, models),
        seed=seed,
    )


def build_report(
    evidence: RouterOutputs,
    prompts: Sequence[str],
    data: DataSummary,
    subject: RouterSummary,
    *,
    seed: int = 0,
) -> Evaluation:
    """Return all figures that evidence on prompts [n] gives."""
    outcomes, best = evidence.outcomes, evidence.strategies[BEST_SINGLE]
    halves = [assign_folds(prompts, folds=2, seed=seed + draw) for draw in range(_SPLITS)]
    ways: dict[str, Strategy] = {**evidence.strategies, **baseline_strategies(outcomes)}
    if np.isfinite(outcomes.costs).any():
        for name, sweep in evidence.sweeps.items():
            drawn = [equal_quality_strategy(sweep, outcomes, best, half) for half in halves]
            ways[f"{name}: equal quality"] = mean_strategy(drawn)
    ordered = {name: ways[name] for name in sorted(ways, key=_position)}
    return Evaluation(
        data=data,
        router=subject,
        strategies=strategy_results(outcomes, ordered, seed=seed),
        by_category=_by_category(evidence, ordered, seed=seed),
        curves=cost_quality_curves(outcomes, evidence.sweeps, best, seed=seed),
        two_models=_two_models(evidence, seed=seed),
        thresholds=threshold_points(outcomes, evidence.pairwise),
        gaps=tuple(evidence.pairwise.gap[np.isfinite(evidence.pairwise.gap)].tolist()),
        score_calibration=score_calibration(outcomes, evidence.predicted),
        pairwise_calibration=pairwise_calibration(outcomes, evidence.pairwise),
        confusion=confusion(outcomes.categories, evidence.detected),
        seed=seed,
    )


_ORDER = (
    BEST_SINGLE,
    "best single (in hindsight)",
    "cheapest",
    "random",
    "category best",
    "kNN",
    "kNN: equal quality",
    "router: quality",
    "router: saving",
    "router: weighted",
    "router: equal quality",
    "router: cargo",
    "oracle",
)


def _position(way: str) -> int:
    """Return where a way stands in tables; one that is not known here stands before the router."""
    return _ORDER.index(way) if way in _ORDER else _ORDER.index("kNN: equal quality")


def _by_category(
    evidence: RouterOutputs, ways: dict[str, Strategy], *, seed: int
) -> dict[str, tuple[StrategyResult, ...]]:
    """Return the lines of each category with enough prompts: the labelled one, else the detected one."""
    outcomes = evidence.outcomes
    pairs = zip(outcomes.categories, evidence.detected, strict=True)
    names = np.array([label or found or NONE for label, found in pairs], dtype=object)
    result = {}
    for name in sorted(set(names)):
        rows = np.flatnonzero(names == name)
        if len(rows) >= _MIN_CATEGORY:
            own = {way: ways[way].take(rows) for way in ways}
            result[name] = strategy_results(outcomes.take(rows), own, seed=seed, win_rates=False)
    return result


def _two_models(evidence: RouterOutputs, *, seed: int) -> dict[str, dict[str, EstimateWithError]]:
    """Return RouteLLM's figures where there are two models; the strong one is the best single model."""
    outcomes = evidence.outcomes
    if len(outcomes.models) != 2:
        return {}
    strong = int(evidence.strategies[BEST_SINGLE].shares.sum(axis=0).argmax())
    predicted = evidence.predicted
    advantages = {"router": predicted[:, strong] - predicted[:, 1 - strong]}
    return two_model_estimates(outcomes, advantages, strong=strong, seed=seed)


def summarise_data(
    rows: Sequence[LabelledPrompt], evidence: RouterOutputs, *, models: Sequence[str]
) -> DataSummary:
    """Return what is said of the rows that evidence was gathered on."""
    outcomes = evidence.outcomes
    return DataSummary(
        rows=len(rows),
        used=len(outcomes),
        learnt_from=0,
        training_included=False,
        without_scores=0,
        missing_scores=int((~outcomes.judged).sum()),
        missing_costs=int((~np.isfinite(outcomes.costs)).sum()),
        unknown_scores=sum(len(row.scores.keys() - set(models)) for row in rows),
    )


def summarise_routers(routers: Sequence[Router], models: tuple[str, ...]) -> RouterSummary:
    """Return what is said of a router, or of those of several folds."""
    held = {
        name
        for router in routers
        for name, margin in router.hyperparameters.margins.items()
        if margin is None
    }
    return RouterSummary(
        version=routers[0].version if len(routers) == 1 else "",
        models=models,
        best_single=routers[0].best_single,
        tau=float(np.mean([router.hyperparameters.tau for router in routers])),
        conservative_policies=tuple(sorted(held)),
    )
