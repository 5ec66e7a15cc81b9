"""The live view of a running batch, redrawn in a terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from tasks.store.progress import Progress, Rate
from workers.views.health import health_lines
from workers.views.status import cost, duration, status_text


def live_view(state: Progress, rate: Rate) -> RenderableType:
    """Return a progress bar and below it the calls, the money and the stages."""
    bar = Table.grid(padding=(0, 2))
    done_share = state.done / state.total if state.total else 0.0
    bar.add_row(
        Text(state.batch_id, style="bold"),
        ProgressBar(total=max(1, state.total), completed=state.done, width=40),
        f"{done_share:4.0%}",
        status_text(state),
    )
    calls = Table.grid(padding=(0, 3))
    calls.add_row(
        f"{state.done:,} of {state.total:,} done",
        Text(f"{state.failed:,} failed", style="red" if state.failed else ""),
        f"{state.in_flight:,} in flight",
        cost(state),
        f"{rate.per_second:,.1f}/s",
        "" if rate.eta_s is None or state.finished else f"{duration(rate.eta_s)} left",
    )
    stages = f"embedded {state.embedded:,} ({state.cache_hits:,} from the cache), routed {state.routed:,}"
    held_up = [Text(line, style="yellow") for line in health_lines(state)]
    return Group(bar, calls, Text(stages, style="dim"), *held_up)
