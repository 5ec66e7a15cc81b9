"""Results of strategies: quality, cost, accuracy and win rates, each with its standard error."""

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
#: the best single model on the evaluated prompts themselves, which nobody knows before
IN_HINDSIGHT = "best single (in hindsight)"


@dataclass(frozen=True)
class WinRate:
    """The win rate of a strategy against always choosing one model.

    Attributes:
        paper: The rate as CARGO counts it (`metrics.accuracy.paper_wins`).
        fair: The rate with every tie as half a win.
    """

    paper: EstimateWithError
    fair: EstimateWithError


@dataclass(frozen=True)
class StrategyResult:
    """The results of one strategy; means are over the prompts on which the chosen model's value is known.

    Attributes:
        name: The strategy's name.
        prompts: The number of prompts on which the chosen model has a score.
        quality: The mean score.
        gain: The mean score less that of the best single model of the training, paired by prompt.
        headroom: The gain as a share of the oracle's gain.
        strict_top1: How often the choice is the best model, over prompts with a single best model.
        best_set_top1: How often the choice's score equals the best score.
        cost: The mean cost in dollars for 1,000 prompts.
        relative_cost: The cost as a multiple of the best single model's.
        fallback_share: The share of prompts on which the pairwise classifier decided.
        model_shares: The share of the prompts that each model gets.
        win_rates: The win rate against each single model; empty for the results of one category.
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

    @property
    def most_taken(self) -> str:
        """The model that takes the most prompts: the only one of a strategy that takes one."""
        return max(self.model_shares, key=self.model_shares.__getitem__)


def strategy_results(
    outcomes: Outcomes, strategies: Mapping[str, Strategy], *, seed: int = 0, win_rates: bool = True
) -> tuple[StrategyResult, ...]:
    """Return the result of each strategy, in the order given.

    Args:
        outcomes: The scores and costs of all models.
        strategies: The strategies by name; `BEST_SINGLE` and `ORACLE` must be among them.
        seed: The seed of the bootstrap.
        win_rates: Whether to compute win rates.
    """
    builder = _ResultBuilder(
        outcomes, strategies, Bootstrap(outcomes.prompt_index, seed), outcomes.models if win_rates else ()
    )
    # All columns are added before the first estimate: the bootstrap resamples them together.
    columns = {name: builder.add_columns(strategy) for name, strategy in strategies.items()}
    return tuple(builder.result(name, columns[name]) for name in strategies)


@dataclass(frozen=True)
class _ResultBuilder:
    outcomes: Outcomes
    strategies: Mapping[str, Strategy]
    bootstrap: Bootstrap
    #: the models that win rates are computed against
    opponents: tuple[str, ...]

    def add_columns(self, strategy: Strategy) -> dict[str, int]:
        """Add the strategy's values by prompt to the bootstrap and return their columns by name."""
        outcomes, best = self.outcomes, self.strategies[BEST_SINGLE]
        scores, costs = strategy.expected(outcomes.scores), strategy.expected(outcomes.costs)
        best_scores, best_costs = best.expected(outcomes.scores), best.expected(outcomes.costs)
        oracle_gains = self.strategies[ORACLE].expected(outcomes.scores) - best_scores
        # 0.0 times a value is NaN where the value is unknown: both sides of a ratio need the same prompts.
        values = {
            "score": scores,
            "gain": scores - best_scores,
            "oracle_gain": oracle_gains + 0.0 * scores,
            "strict": strategy.expected(strict_top1(outcomes)),
            "best_set": strategy.expected(best_set_top1(outcomes)),
            "cost": costs * 1000,
            "paired_cost": costs + 0.0 * best_costs,
            "paired_best_cost": best_costs + 0.0 * costs,
        }
        for index, model in enumerate(self.opponents):
            values[f"paper {model}"] = strategy.expected(paper_wins(outcomes, index))
            values[f"fair {model}"] = strategy.expected(fair_wins(outcomes, index))
        return {name: self.bootstrap.add(column) for name, column in values.items()}

    def result(self, name: str, columns: Mapping[str, int]) -> StrategyResult:
        strategy = self.strategies[name]
        mean, ratio = self.bootstrap.mean, self.bootstrap.ratio
        judged = np.isfinite(strategy.expected(self.outcomes.scores))
        decided = strategy.decided_pairwise
        return StrategyResult(
            name=name,
            prompts=int(judged.sum()),
            quality=mean(columns["score"]),
            gain=mean(columns["gain"]),
            headroom=ratio(columns["gain"], columns["oracle_gain"]),
            strict_top1=mean(columns["strict"]),
            best_set_top1=mean(columns["best_set"]),
            cost=mean(columns["cost"]),
            relative_cost=ratio(columns["paired_cost"], columns["paired_best_cost"]),
            fallback_share=float(decided.mean()) if len(decided) else 0.0,
            model_shares=dict(zip(self.outcomes.models, strategy.shares.mean(axis=0).tolist(), strict=True)),
            win_rates={
                model: WinRate(mean(columns[f"paper {model}"]), mean(columns[f"fair {model}"]))
                for model in self.opponents
            },
        )
