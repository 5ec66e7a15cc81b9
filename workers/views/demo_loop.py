"""What the demo shows of the learning loop: what it took, and what the router has found out."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from workers.demo.learning_loop import CategoryFinding, LoopOutcome

Cells = tuple[str, ...]

_WAYS: Cells = ("routed by", "true quality", "of the best possible", "cost of 1,000")
_FOUND: Cells = ("category", "sent to", "true quality of each model")


def loop_view(loop: LoopOutcome) -> RenderableType:
    """Return the loop for a terminal."""
    grid = Table.grid(padding=(0, 2))
    for name, value in facts(loop).items():
        grid.add_row(Text(name, style="dim"), value)
    ways, found = _table(_WAYS, way_rows(loop), numbers=True), _table(_FOUND, found_rows(loop), numbers=False)
    return Group("The learning loop, begun without a label", "", grid, "", ways, "", found)


def loop_lines(loop: LoopOutcome) -> list[str]:
    """Return the loop as Markdown."""
    lines = ["", "## The learning loop, begun without a label", "", "| | |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in facts(loop).items()]
    for head, rows in ((_WAYS, way_rows(loop)), (_FOUND, found_rows(loop))):
        lines += ["", _row(head), _row(["---"] * len(head)), *map(_row, rows)]
    return lines


def facts(loop: LoopOutcome) -> dict[str, str]:
    """Return what the loop took."""
    collected, run = loop.collected, loop.run
    saved = 1 - run.judged / run.pairs if run.pairs else 0.0
    held = ", which trusts no prediction and stays with the best single model" if loop.held else ""
    return {
        "answers": f"{collected.prompts} prompts by {len(collected.models)} models:"
        f" {collected.bought} bought, {collected.reused} reused",
        "verdicts": f"{run.judged} of {run.pairs} pairs by {len(run.judges)} judges in both orders:"
        f" {run.calls:,} calls ({saved:.0%} of the pairs needed none)",
        "cost": f"${loop.cost:.4f}",
        "router": f"version {loop.version}, trained on {loop.trained_on} prompts and promoted{held}",
        "tried on": f"{loop.routed} new prompts, routed by the workers",
    }


def way_rows(loop: LoopOutcome) -> list[Cells]:
    """Return each way of routing beside the best possible one, which is the last."""
    best = loop.ways[-1].quality
    return [
        (way.name, f"{way.quality:.3f}", f"{way.quality / best:.0%}", f"${1000 * way.cost:.3f}")
        for way in loop.ways
    ]


def found_rows(loop: LoopOutcome) -> list[Cells]:
    """Return where each category was sent, beside what is true of the models."""
    return [(one.category, _sent(one), _known(one)) for one in loop.categories]


def _sent(one: CategoryFinding) -> str:
    total = sum(one.models.values())
    return ", ".join(f"{model} {number / total:.0%}" for model, number in one.models.items())


def _known(one: CategoryFinding) -> str:
    ranked = sorted(one.strengths.items(), key=lambda item: -item[1])
    return ", ".join(f"{model} {strength:.2f}" for model, strength in ranked)


def _table(names: Cells, rows: Iterable[Cells], *, numbers: bool) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2), header_style="dim")
    for column, name in enumerate(names):
        table.add_column(name, justify="right" if numbers and column else "left")
    for cells in rows:
        table.add_row(*cells)
    return table


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
