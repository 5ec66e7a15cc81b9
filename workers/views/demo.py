"""What the demo shows: progress on stderr, the summary on stdout, the same as Markdown in a file."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tasks.store.engine import Store
from tasks.store.progress import Progress
from workers.cli.bad_lines import BadLines
from workers.cli.exit_codes import ExitCode
from workers.cli.output import info, stdout_console
from workers.cli.watch import follow
from workers.demo.run import DemoObserver, DemoOutcome, run_demo
from workers.views.demo_loop import loop_lines, loop_view
from workers.views.status import categories_table, duration, models_table


def run_and_show(home: Path, requests: int, judged: int) -> ExitCode:
    """Run the demo; DONE when nothing failed but what was meant to."""
    signal.signal(signal.SIGTERM, _as_interrupt)
    with BadLines("batch.jsonl") as bad:
        outcome = run_demo(home, requests, judged, DemoObserver(say=info, bad_line=bad.add, follow=_follow))
    stdout_console().print(summary(outcome))
    outcome.files.report.write_text(markdown(outcome))
    return ExitCode.DONE if outcome.as_expected else ExitCode.SOME_FAILED


def summary(outcome: DemoOutcome) -> RenderableType:
    """Return the summary for a terminal."""
    grid = Table.grid(padding=(0, 2))
    for name, value in facts(outcome).items():
        grid.add_row(Text(name, style="dim"), value)
    models, categories = models_table(outcome.report.models), categories_table(outcome.report.categories)
    learnt = ["", loop_view(outcome.loop)] if outcome.loop else []
    return Group("", models, "", categories, "", grid, *learnt)


def facts(outcome: DemoOutcome) -> dict[str, str]:
    """Return the summary's lines."""
    state, files = outcome.report.progress, outcome.files
    saved = 1 - outcome.cost / outcome.alone if outcome.alone else 0.0
    return {
        "requests": f"{state.total:,} answered by {state.calls:,} calls; {state.invalid} bad lines reported",
        "duplicates": f"{state.calls_saved:,} calls saved",
        "router": f"version {outcome.router_version}; fallback classifier used {state.fallbacks:,} times",
        "vectors": f"{state.cache_hits:,} of {state.embedded:,} from the cache",
        "failures": _failures(outcome),
        "cost": f"${outcome.cost:.4f}; {outcome.best_single}, the best single model, would have cost"
        f" ${outcome.alone:.4f} for the same tokens ({saved:.0%} saved)",
        "rate": f"{state.done / max(state.elapsed_s, 1e-9):,.1f} requests/s,"
        f" {duration(state.elapsed_s)} from submission to the last answer",
        "results": str(files.results),
        "errors": str(files.errors),
        "database": outcome.database,
        "report": str(files.report),
        "look again": f"waybill --config {files.settings} status {state.batch_id}",
    }


def markdown(outcome: DemoOutcome) -> str:
    """Return the summary for a file."""
    rows = [f"| {name} | {value} |" for name, value in facts(outcome).items()]
    models = [
        f"| {m.model} | {m.requests} | {m.calls} | {m.failed_calls} | ${m.cost / 1_000_000:.4f} |"
        for m in outcome.report.models
    ]
    categories = [
        f"| {c.category or '-'} | {c.requests} | {c.fallbacks} | "
        + ", ".join(f"{model} {number}" for model, number in c.models.items())
        + " |"
        for c in outcome.report.categories
    ]
    parts = [
        "# Waybill demo", "",
        "| | |", "|---|---|", *rows, "",
        "| model | requests | calls | failed calls | cost |", "|---|---|---|---|---|", *models, "",
        "| category | requests | fallbacks | models |", "|---|---|---|---|", *categories,
        *(loop_lines(outcome.loop) if outcome.loop else []),
    ]  # fmt: skip
    return "\n".join(parts) + "\n"


def _failures(outcome: DemoOutcome) -> str:
    failed_calls = sum(model.failed_calls for model in outcome.report.models)
    reasons = ", ".join(f"{code} ×{number}" for code, number in outcome.report.failures.items())
    return f"{outcome.report.progress.failed} requests{f' ({reasons})' if reasons else ''}; " + (
        f"{failed_calls} failed calls were made again"
    )


def _follow(store: Store, batch_id: str, tend: Callable[[], None]) -> Progress:
    return follow(store, batch_id, tend=tend)


def _as_interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
