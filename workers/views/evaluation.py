"""The evaluation of a router for a terminal: a verdict, and the strategies that it is compared with."""

from __future__ import annotations

from collections.abc import Mapping
from math import isnan

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from router_core.evaluation.metrics.bootstrap import EstimateWithError
from router_core.evaluation.result import Evaluation
from router_core.evaluation.strategy_results import IN_HINDSIGHT, StrategyResult
from router_core.evaluation.tables import format_dollars, format_estimate, format_number

#: the names of strategies as people read them; others, such as the best constants, are left to the report
_NAMES = {
    "cheapest": "always the cheapest: {cheapest}",
    "best single": "always {best_single}, the best single model",
    IN_HINDSIGHT: "always {hindsight}, the best of these in hindsight",
    "random": "a random model",
    "kNN": "kNN alone",
    "router: saving": "router: saving",
    "router: quality": "router: quality",
    "router: weighted": "router: weighted",
    "router: cargo": "router: cargo, the paper's",
    "router: budget": "router: budget",
    "oracle": "the best model of each prompt",
}


def evaluation_view(evaluation: Evaluation, policy: str) -> RenderableType:
    """Return the verdicts on the router, a row for each strategy, and what quality for cost comes to.

    Args:
        evaluation: The evaluation.
        policy: The policy that is chosen, whose verdict comes first; `quality` for one that is not evaluated.
    """
    chosen = policy if policy in evaluation.verdicts else "quality"
    estimates = [Text(f"training's estimate, {note}", style="dim") for note in evaluation.router.estimates]
    return Group(
        Text(evaluation.verdicts[chosen], style="bold"),
        *(Text(sentence) for name, sentence in evaluation.verdicts.items() if name != chosen),
        *map(Text, evaluation.findings()),
        *estimates,
        *_knn_lines(evaluation),
        "",
        _table(evaluation, chosen),
        *(("", _trades(evaluation)) if evaluation.trades else ()),
        "",
        Text(
            "quality: mean score; headroom: the gain on the best single model, as a share of what the best "
            "model of each prompt gains; cost: of 1,000 prompts. More figures: --report DIR, --json",
            style="dim",
        ),
    )


def _knn_lines(evaluation: Evaluation) -> list[Text]:
    """Return a line on how much better each policy is than kNN alone; none where kNN was not evaluated."""
    found = [f"{one.policy} {one.gain.value:+.4f} ± {one.gain.error:.4f}" for one in evaluation.knn]
    return (
        [Text(f"quality less that of kNN alone, by prompt: {', '.join(found)}", style="dim")] if found else []
    )


def _empty_table(title: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column(title, overflow="fold")
    for name in ("quality", "headroom", "cost", "times best\nsingle's"):
        table.add_column(name, justify="right", no_wrap=True, vertical="top")
    return table


def _table(evaluation: Evaluation, policy: str) -> Table:
    table = _empty_table("")
    names = {
        "cheapest": evaluation["cheapest"].most_taken,
        "best_single": evaluation.router.best_single,
        "hindsight": evaluation[IN_HINDSIGHT].most_taken,
    }
    for result in evaluation.strategies:
        if result.name in _NAMES:
            style = "bold" if result.name == f"router: {policy}" else ""
            table.add_row(*_row(names, result), style=style)
    return table


def _trades(evaluation: Evaluation) -> Table:
    """Return the router under rising quality floors and cost weights, so that the user can choose one."""
    table = _empty_table("quality for cost, with")
    for result in evaluation.trades:
        table.add_row(result.name, *_figures(result))
    return table


def _row(names: Mapping[str, str], result: StrategyResult) -> tuple[str, ...]:
    return _NAMES[result.name].format(**names), *_figures(result)


def _figures(result: StrategyResult) -> tuple[str, ...]:
    cost = format_dollars(result.cost.value)
    return format_estimate(result.quality), _share(result.headroom), cost, _times(result.relative_cost)


def _share(gain: EstimateWithError) -> str:
    if isnan(gain.value):
        return "?"
    return f"{gain.value:+.0%}" if isnan(gain.error) else f"{gain.value:+.0%} ± {gain.error:.0%}"


def _times(ratio: EstimateWithError) -> str:
    return format_number(ratio.value, "?", digits=2)
