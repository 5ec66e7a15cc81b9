"""Lines of an evaluation's table: what each way of choosing reached, with standard errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router_core.evaluation.metrics.accuracy import best_set_top1, fair_wins, paper_wins, strict_top1
from router_core.evaluation.metrics.bootstrap import Bootstrap, EstimateWithError
from router_core.evaluation.outcomes import Outcomes
from router_core.evaluation.strategies import Strategy

Floats = NDArray[np.float64]

BEST_SINGLE, ORACLE = "best single", "oracle"


@dataclass(frozen=True)
class WinRate:
    """How often a way beats always calling one model: by the paper's count, and with ties at a half."""

    paper: EstimateWithError
    fair: EstimateWithError


@dataclass(frozen=True)
class StrategyResult:
    """What one way of choosing reached on the prompts where its choice was judged.

    Gains are paired with the best single model of the training; headroom is the gain over the oracle's.
    `strict_top1` counts prompts with one best model only. `cost` is in dollars for 1,000 prompts.
    """

    name: str
    prompts: int
    quality: EstimateWithError
    gain: EstimateWithError
    headroom: EstimateWithError
    strict_top1: EstimateWithError
    best_set_top1: EstimateWithError
    cost: EstimateWithError
    relative_cost: EstimateWithError
    fallback_share: float
    model_shares: Mapping[str, float]
    win_rates: Mapping[str, WinRate]


def strategy_results(
    outcomes: Outcomes, ways: Mapping[str, Strategy], *, seed: int = 0, win_rates: bool = True
) -> tuple[StrategyResult, ...]:
    """Return a line for each way; `ways` hold the best single model and the oracle."""
    table = _Table(outcomes, ways, Bootstrap(outcomes.prompt_index, seed), win_rates)
    columns = {name: table.columns(way) for name, way in ways.items()}
    return tuple(table.result(name, ways[name], columns[name]) for name in ways)


@dataclass(frozen=True)
class _Table:
    outcomes: Outcomes
    ways: Mapping[str, Strategy]
    bootstrap: Bootstrap
    win_rates: bool

    def columns(self, way: Strategy) -> dict[str, int]:
        """Add all values of a way to the bootstrap and return their columns by name."""
        outcomes, best = self.outcomes, self.ways[BEST_SINGLE]
        scores, costs = way.expected(outcomes.scores), way.expected(outcomes.costs)
        best_scores, best_costs = best.expected(outcomes.scores), best.expected(outcomes.costs)
        values = {
            "score": scores,
            "gain": scores - best_scores,
            "room": self.ways[ORACLE].expected(outcomes.scores) - best_scores + 0.0 * scores,
            "strict": way.expected(strict_top1(outcomes)),
            "best_set": way.expected(best_set_top1(outcomes)),
            "cost": costs * 1000,
            "paired_cost": costs + 0.0 * best_costs,
            "paired_best_cost": best_costs + 0.0 * costs,
        }
        if self.win_rates:
            for index, model in enumerate(outcomes.models):
                values[f"paper {model}"] = way.expected(paper_wins(outcomes, index))
                values[f"fair {model}"] = way.expected(fair_wins(outcomes, index))
        return {name: self.bootstrap.add(column) for name, column in values.items()}

    def result(self, name: str, way: Strategy, columns: Mapping[str, int]) -> StrategyResult:
        mean, ratio = self.bootstrap.mean, self.bootstrap.ratio
        judged = np.isfinite(way.expected(self.outcomes.scores))
        models = self.outcomes.models if self.win_rates else ()
        return StrategyResult(
            name=name,
            prompts=int(judged.sum()),
            quality=mean(columns["score"]),
            gain=mean(columns["gain"]),
            headroom=ratio(columns["gain"], columns["room"]),
            strict_top1=mean(columns["strict"]),
            best_set_top1=mean(columns["best_set"]),
            cost=mean(columns["cost"]),
            relative_cost=ratio(columns["paired_cost"], columns["paired_best_cost"]),
            fallback_share=float(way.decided_pairwise.mean()) if len(way.decided_pairwise) else 0.0,
            model_shares=dict(zip(self.outcomes.models, way.shares.mean(axis=0).tolist(), strict=True)),
            win_rates={
                model: WinRate(mean(columns[f"paper {model}"]), mean(columns[f"fair {model}"]))
                for model in models
            },
        )
