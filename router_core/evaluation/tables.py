"""Markdown tables of an evaluation, for documents."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from router_core.evaluation.metrics.bootstrap import EstimateWithError
from router_core.evaluation.result import Evaluation
from router_core.evaluation.strategy_results import BEST_SINGLE, IN_HINDSIGHT, StrategyResult

#: The strategies that take one model for all prompts.
_FIXED = (BEST_SINGLE, IN_HINDSIGHT, "cheapest")
_HEAD = (
    "",
    "quality",
    "headroom",
    "best-set top-1",
    "strict top-1",
    "cost per 1,000",
    "relative cost",
    "classifier asked",
)


def markdown(evaluation: Evaluation) -> str:
    """Return the notes and the tables of strategies, curves, two models and win rates."""
    parts = [
        f"**{note}**" if index == 0 and evaluation.data.flagged else note
        for index, note in enumerate(evaluation.data.notes())
    ]
    parts += [f"Training's estimate, {note}" for note in evaluation.router.estimates]
    parts += evaluation.findings()
    parts += evaluation.verdicts.values()
    parts += ["", strategies_table(evaluation.strategies)]
    if evaluation.trades:
        parts += ["", trades_table(evaluation)]
    if evaluation.curves:
        parts += ["", curves_table(evaluation)]
    if evaluation.two_models:
        parts += ["", two_models_table(evaluation)]
    parts += ["", wins_table(evaluation)]
    return "\n".join(parts).strip("\n")


def strategies_table(results: Iterable[StrategyResult]) -> str:
    """Return the table with a row for each strategy."""
    return markdown_table(_HEAD, [_strategy_row(result) for result in results])


def trades_table(evaluation: Evaluation) -> str:
    """Return the table of quality and cost under rising quality floors and cost weights."""
    head = ("option", "quality", "gain", "cost per 1,000", "relative cost")
    return markdown_table(head, [_trade_row(result) for result in evaluation.trades])


def label_of(result: StrategyResult) -> str:
    """Return the name of a strategy, with its model if it takes one for all prompts."""
    return f"{result.name}: {result.most_taken}" if result.name in _FIXED else result.name


def curves_table(evaluation: Evaluation) -> str:
    """Return the table of each curve's AIQ and its cost at equal quality."""
    head = ("curve", "AIQ", "cost at equal quality, chosen on the same prompts")
    rows = [
        (name, format_estimate(curve.aiq), format_number(curve.reached_at, "never reached"))
        for name, curve in evaluation.curves.items()
    ]
    return markdown_table(head, rows)


def two_models_table(evaluation: Evaluation) -> str:
    """Return the table of RouteLLM's APGR and CPT; the evaluation must be of two models."""
    metrics = [*next(iter(evaluation.two_models.values()))]
    head = ("", *(metric.upper().replace("_", " ") for metric in metrics))
    rows = [
        (router, *map(format_estimate, estimates.values()))
        for router, estimates in evaluation.two_models.items()
    ]
    return markdown_table(head, rows)


def wins_table(evaluation: Evaluation) -> str:
    """Return the table of the router's win rates against each single model (paper's / fair)."""
    routers = [result for result in evaluation.strategies if result.name.startswith("router")]
    head = ("win rate against (paper's / fair)", *(result.name for result in routers))
    rows = [
        (
            model,
            *(
                f"{result.win_rates[model].paper.value:.1%} / {_percent(result.win_rates[model].fair)}"
                for result in routers
            ),
        )
        for model in evaluation.router.models
    ]
    return markdown_table(head, rows)


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _strategy_row(result: StrategyResult) -> tuple[str, ...]:
    return (
        label_of(result),
        format_estimate(result.quality),
        _percent(result.headroom, signed=True),
        _percent(result.best_set_top1),
        _percent(result.strict_top1),
        format_dollars(result.cost.value),
        format_estimate(result.relative_cost, digits=3),
        f"{result.fallback_share:.1%}",
    )


def _trade_row(result: StrategyResult) -> tuple[str, ...]:
    return (
        f"`{result.name}`",
        format_estimate(result.quality),
        f"{result.gain.value:+.4f} ± {result.gain.error:.4f}",
        format_dollars(result.cost.value),
        format_estimate(result.relative_cost, digits=3),
    )


def format_estimate(estimate: EstimateWithError, *, digits: int = 4) -> str:
    """Return an estimate as text, with its standard error."""
    return f"{format_number(estimate.value, digits=digits)} ± {format_number(estimate.error, digits=digits)}"


def format_number(value: float, unknown: str = "?", *, digits: int = 3) -> str:
    """Return a number as text, `unknown` for NaN."""
    return unknown if math.isnan(value) else f"{value:.{digits}f}"


def format_dollars(value: float) -> str:
    """Return dollars as text with three significant digits, with cents from $10 on."""
    if math.isnan(value):
        return "?"
    return f"${value:,.2f}" if value >= 10 else f"${value:.3g}"


def _percent(estimate: EstimateWithError, *, signed: bool = False) -> str:
    if math.isnan(estimate.value):
        return "?"
    value = f"{estimate.value:+.1%}" if signed else f"{estimate.value:.1%}"
    return value if math.isnan(estimate.error) else f"{value} ± {estimate.error:.1%}"
