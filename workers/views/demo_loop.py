"""What the demo shows of the learning loop: what it took, and what the router has found out."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from workers.demo.learning_loop import CategoryFinding, LoopOutcome

Cells = tuple[str, ...]

_STRATEGY_COLUMNS: Cells = ("routed by", "true quality", "of the best possible", "cost of 1,000")
_CATEGORY_COLUMNS: Cells = ("category", "sent to", "true quality of each model")


def loop_view(loop: LoopOutcome) -> RenderableType:
    """Return the loop for a terminal."""
    grid = Table.grid(padding=(0, 2))
    for name, value in facts(loop).items():
        grid.add_row(Text(name, style="dim"), value)
    ways, found = (
        _table(_STRATEGY_COLUMNS, strategy_rows(loop), numbers=True),
        _table(_CATEGORY_COLUMNS, category_rows(loop), numbers=False),
    )
    return Group("The learning loop, begun without a label", "", grid, "", ways, "", found)


def loop_lines(loop: LoopOutcome) -> list[str]:
    """Return the loop as Markdown."""
    lines = ["", "## The learning loop, begun without a label", "", "| | |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in facts(loop).items()]
    for head, rows in ((_STRATEGY_COLUMNS, strategy_rows(loop)), (_CATEGORY_COLUMNS, category_rows(loop))):
        lines += ["", _markdown_row(head), _markdown_row(["---"] * len(head)), *map(_markdown_row, rows)]
    return lines


def facts(loop: LoopOutcome) -> dict[str, str]:
    """Return what the loop took."""
    collected, run = loop.collected, loop.judge_run
    saved = 1 - run.judged / run.pairs if run.pairs else 0.0
    held = ", which trusts no prediction and stays with the best single model" if loop.conservative else ""
    return {
        "answers": f"{collected.prompts} prompts by {len(collected.models)} models:"
        f" {collected.bought} bought, {collected.reused} reused",
        "verdicts": f"{run.judged} of {run.pairs} pairs by {len(run.judges)} judges in both orders:"
        f" {run.calls:,} calls ({saved:.0%} of the pairs needed none)",
        "cost": f"${loop.cost:.4f}",
        "router": f"version {loop.version}, trained on {loop.trained_on} prompts and promoted{held}",
        "tried on": f"{loop.routed} new prompts, routed by the workers",
    }


def strategy_rows(loop: LoopOutcome) -> list[Cells]:
    """Return each way of routing beside the best possible one, which is the last."""
    best = loop.strategies[-1].quality
    return [
        (way.name, f"{way.quality:.3f}", f"{way.quality / best:.0%}", f"${1000 * way.cost:.3f}")
        for way in loop.strategies
    ]


def category_rows(loop: LoopOutcome) -> list[Cells]:
    """Return where each category was sent, beside what is true of the models."""
    return [(one.category, _routing_shares(one), _documented_strengths(one)) for one in loop.categories]


def _routing_shares(one: CategoryFinding) -> str:
    total = sum(one.models.values())
    return ", ".join(f"{model} {number / total:.0%}" for model, number in one.models.items())


def _documented_strengths(one: CategoryFinding) -> str:
    ranked = sorted(one.strengths.items(), key=lambda item: -item[1])
    return ", ".join(f"{model} {strength:.2f}" for model, strength in ranked)


def _table(names: Cells, rows: Iterable[Cells], *, numbers: bool) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2), header_style="dim")
    for column, name in enumerate(names):
        table.add_column(name, justify="right" if numbers and column else "left")
    for cells in rows:
        table.add_row(*cells)
    return table


def _markdown_row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
