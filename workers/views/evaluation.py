"""The evaluation of a router for a terminal: a verdict, and the strategies that it is compared with."""

from __future__ import annotations

from collections.abc import Mapping
from math import isnan

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from router_core.evaluation.metrics.bootstrap import EstimateWithError
from router_core.evaluation.result import Evaluation
from router_core.evaluation.strategy_results import StrategyResult
from router_core.evaluation.tables import format_dollars, format_estimate, format_number

#: the names of strategies as people read them; others, such as the best constants, are left to the report
_NAMES = {
    "cheapest": "always the cheapest: {cheapest}",
    "best single": "always {best_single}, the best single model",
    "random": "a random model",
    "kNN": "kNN alone",
    "router: saving": "router: saving",
    "router: quality": "router: quality",
    "router: weighted": "router: weighted",
    "router: cargo": "router: cargo, the paper's",
    "oracle": "the best model of each prompt",
}


def evaluation_view(evaluation: Evaluation, policy: str) -> RenderableType:
    """Return the verdict on the router under this policy, and a row for each strategy.

    Args:
        evaluation: The evaluation.
        policy: The policy that the settings choose; `quality` for one that has parameters of its own.
    """
    chosen = policy if policy in evaluation.verdicts else "quality"
    estimates = [Text(f"training's estimate, {note}", style="dim") for note in evaluation.router.estimates]
    return Group(
        Text(evaluation.verdicts[chosen], style="bold"),
        *map(Text, evaluation.findings()),
        *estimates,
        "",
        _table(evaluation, chosen),
        "",
        Text(
            "quality: mean score; gain: on the best single model, a share of what the best model of each "
            "prompt gains; cost: of 1,000 prompts. More figures: --report DIR, --json",
            style="dim",
        ),
    )


def _table(evaluation: Evaluation, policy: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("", overflow="fold")
    for name in ("quality", "gain", "cost", "times best\nsingle's"):
        table.add_column(name, justify="right", no_wrap=True, vertical="top")
    shares = evaluation["cheapest"].model_shares
    cheapest = max(shares, key=shares.__getitem__)
    names = {"cheapest": cheapest, "best_single": evaluation.router.best_single}
    for result in evaluation.strategies:
        if result.name in _NAMES:
            style = "bold" if result.name == f"router: {policy}" else ""
            table.add_row(*_row(names, result), style=style)
    return table


def _row(names: Mapping[str, str], result: StrategyResult) -> tuple[str, ...]:
    name = _NAMES[result.name].format(**names)
    cost = format_dollars(result.cost.value)
    return name, format_estimate(result.quality), _share(result.headroom), cost, _times(result.relative_cost)


def _share(gain: EstimateWithError) -> str:
    if isnan(gain.value):
        return "?"
    return f"{gain.value:+.0%}" if isnan(gain.error) else f"{gain.value:+.0%} ± {gain.error:.0%}"


def _times(ratio: EstimateWithError) -> str:
    return format_number(ratio.value, "?", digits=2)
