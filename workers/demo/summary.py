"""The summary of the demo, for a terminal and as Markdown."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from router_core.pricing import MICROS_PER_DOLLAR
from workers.demo.learning_loop import LoopOutcome
from workers.demo.loop_summary import loop_lines, loop_view
from workers.demo.run import DemoOutcome
from workers.views.status import categories_table, duration, models_table


def summary(outcome: DemoOutcome) -> RenderableType:
    """Return the summary for a terminal."""
    grid = Table.grid(padding=(0, 2))
    for name, value in facts(outcome).items():
        grid.add_row(Text(name, style="dim"), value)
    models, categories = models_table(outcome.report.models), categories_table(outcome.report.categories)
    loop = ["", loop_view(outcome.loop)] if outcome.loop else []
    return Group("", models, "", categories, "", grid, *loop)


def sentences(outcome: DemoOutcome) -> str:
    """Return the summary in three sentences, and where to read on."""
    parts = [_answered(outcome), _saved(outcome), *([_learnt(outcome.loop)] if outcome.loop else [])]
    files = outcome.files
    return "\n".join(
        [
            *parts,
            "",
            f"Answers: {files.results}",
            f"All figures: {files.report}, or --verbose; docs/demo.md explains them",
        ]
    )


def _answered(outcome: DemoOutcome) -> str:
    state, errors = outcome.report.progress, outcome.files.errors
    failed = sum(model.failed_calls for model in outcome.report.models)
    again = f"; {failed:,} of them failed, and were made again where that may help" if failed else ""
    bad = f"; bad lines, {state.invalid:,} of them, are in {errors}" if state.invalid else ""
    return (
        f"{state.succeeded:,} of {state.total:,} requests were answered by {state.calls:,} calls{again}{bad}."
    )


def _saved(outcome: DemoOutcome) -> str:
    single = f"{outcome.best_single}, the best single model, would have cost ${outcome.best_single_cost:.2f}"
    return (
        f"It cost ${outcome.cost:.2f}, and all to {single}; the models are simulated: this shows that the "
        "parts work, not what you will save."
    )


def _learnt(loop: LoopOutcome) -> str:
    single, routed, best = loop.strategies[-3:]
    reached, without = (f"{one.quality / best.quality:.0%}" for one in (routed, single))
    return (
        f"Then, without a label, judges compared answers to {loop.collected.prompts} prompts for "
        f"${loop.cost:.2f}, and the router trained on their verdicts reaches {reached} of the best possible "
        f"quality ({single.name}: {without})."
    )


def facts(outcome: DemoOutcome) -> dict[str, str]:
    """Return the lines of the summary, text by name."""
    state, files = outcome.report.progress, outcome.files
    saved = 1 - outcome.cost / outcome.best_single_cost if outcome.best_single_cost else 0.0
    return {
        "requests": f"{state.total:,} answered by {state.calls:,} calls; {state.invalid} bad lines reported",
        "duplicates": f"{state.calls_saved:,} calls saved",
        "router": f"version {outcome.router_version}; pairwise classifier used {state.fallbacks} times",
        "embedded": f"{state.embedded:,} prompts, {state.cache_hits or 'none'} of them known from before",
        "failures": _failures(outcome),
        "cost": f"${outcome.cost:.4f}; {outcome.best_single}, the best single model, would have cost"
        f" ${outcome.best_single_cost:.4f} for the same tokens ({saved:.0%} saved)",
        "rate": f"{state.done / max(state.elapsed_s, 1e-9):,.1f} requests/s,"
        f" {duration(state.elapsed_s)} from submission to the last answer",
        "results": str(files.results),
        "errors": str(files.errors),
        "database": outcome.database,
        "report": str(files.report),
        "look again": f"waybill --config {files.settings} status {state.batch_id}",
    }


def markdown(outcome: DemoOutcome) -> str:
    """Return the summary as Markdown."""
    rows = [f"| {name} | {value} |" for name, value in facts(outcome).items()]
    models = [
        f"| {one.model} | {one.requests} | {one.calls} | {one.failed_calls}"
        f" | ${one.cost / MICROS_PER_DOLLAR:.4f} |"
        for one in outcome.report.models
    ]
    categories = [
        f"| {one.category or '-'} | {one.requests} | {one.fallbacks} | "
        + ", ".join(f"{model} {number}" for model, number in one.models.items())
        + " |"
        for one in outcome.report.categories
    ]
    parts = [
        "# Waybill demo", "",
        "| | |", "|---|---|", *rows, "",
        "| model | requests | calls | failed calls | cost |", "|---|---|---|---|---|", *models, "",
        "| category | requests | pairwise | models |", "|---|---|---|---|", *categories,
        *(loop_lines(outcome.loop) if outcome.loop else []),
    ]  # fmt: skip
    return "\n".join(parts) + "\n"


def _failures(outcome: DemoOutcome) -> str:
    failed_calls = sum(model.failed_calls for model in outcome.report.models)
    reasons = ", ".join(f"{code} ×{number}" for code, number in outcome.report.failures.items())
    return f"{outcome.report.progress.failed} requests{f' ({reasons})' if reasons else ''}; " + (
        f"{failed_calls} failed calls were made again"
    )
