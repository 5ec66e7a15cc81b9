"""The demo's learning loop, for a terminal and as Markdown: its cost, and what the router has learnt."""

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
    """Return the outcome of the loop for a terminal."""
    grid = Table.grid(padding=(0, 2))
    for name, value in facts(loop).items():
        grid.add_row(Text(name, style="dim"), value)
    strategies = _table(_STRATEGY_COLUMNS, strategy_rows(loop), numbers=True)
    categories = _table(_CATEGORY_COLUMNS, category_rows(loop), numbers=False)
    return Group("The learning loop, begun without a label", "", grid, "", strategies, "", categories)


def loop_lines(loop: LoopOutcome) -> list[str]:
    """Return the outcome of the loop as lines of Markdown."""
    lines = ["", "## The learning loop, begun without a label", "", "| | |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in facts(loop).items()]
    for columns, rows in (
        (_STRATEGY_COLUMNS, strategy_rows(loop)),
        (_CATEGORY_COLUMNS, category_rows(loop)),
    ):
        header = [_markdown_row(columns), _markdown_row(["---"] * len(columns))]
        lines += ["", *header, *map(_markdown_row, rows)]
    return lines


def facts(loop: LoopOutcome) -> dict[str, str]:
    """Return the work and the cost of the loop, text by name."""
    collected, run = loop.collected, loop.judge_run
    saved = 1 - run.judged / run.pairs if run.pairs else 0.0
    conservative = (
        ", which trusts no prediction and stays with the best single model" if loop.conservative else ""
    )
    found = {
        "answers": f"{collected.prompts} prompts by {len(collected.models)} models:"
        f" {collected.bought} bought, {collected.reused} reused",
        "verdicts": f"{run.judged} of {run.pairs} pairs by {len(run.judges)} judges in both orders:"
        f" {run.calls:,} calls ({saved:.0%} of the pairs needed none)",
        "cost": f"${loop.cost:.4f}",
        "router": f"version {loop.version}, trained on {loop.trained_on} of them and promoted{conservative};"
        f" {collected.prompts - loop.trained_on} are held out to compare routers",
        "tried on": f"{loop.routed} new prompts, routed by the workers",
    }
    if (new := loop.new_kind) is not None:
        found["a new kind"] = (
            f"{new.before:.0%} of {new.prompts} {new.kind} prompts were unfamiliar; after labels of"
            f" {new.collected} by novelty (${new.cost:.4f}), {new.after:.0%} of {new.prompts} others are"
        )
    return found


def strategy_rows(loop: LoopOutcome) -> list[Cells]:
    """Return a row for each strategy: its quality and cost beside those of the best possible, the last."""
    best = loop.strategies[-1].quality
    return [
        (one.name, f"{one.quality:.3f}", f"{one.quality / best:.0%}", f"${1000 * one.cost:.3f}")
        for one in loop.strategies
    ]


def category_rows(loop: LoopOutcome) -> list[Cells]:
    """Return a row for each category: the models that it was sent to, and the documented strengths."""
    return [(one.category, _routing_shares(one), _documented_strengths(one)) for one in loop.categories]


def _routing_shares(finding: CategoryFinding) -> str:
    total = sum(finding.models.values())
    return ", ".join(f"{model} {number / total:.0%}" for model, number in finding.models.items())


def _documented_strengths(finding: CategoryFinding) -> str:
    strongest_first = sorted(finding.strengths.items(), key=lambda item: -item[1])
    return ", ".join(f"{model} {strength:.2f}" for model, strength in strongest_first)


def _table(columns: Cells, rows: Iterable[Cells], *, numbers: bool) -> Table:
    """Return a table; `numbers` aligns all columns but the first to the right."""
    table = Table(box=None, pad_edge=False, padding=(0, 2), header_style="dim")
    for index, name in enumerate(columns):
        table.add_column(name, justify="right" if numbers and index else "left")
    for cells in rows:
        table.add_row(*cells)
    return table


def _markdown_row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
