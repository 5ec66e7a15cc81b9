"""The live view of a running batch, redrawn in a terminal: a few lines that fit 80 columns."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from tasks.store.batch_progress import Progress, Rate
from workers.views.health import Reader, action, health_lines
from workers.views.status import cost, duration, percent, status_text, to_come

#: the most lines about what holds the batch up: the view must fit a screen of 24 lines
MAX_HELD_UP = 5
BAR_WIDTH = 70


def live_view(state: Progress, rate: Rate, reader: Reader = "command") -> RenderableType:
    """Return a progress bar and below it the calls, the pace, the money and the stages."""
    return Group(
        Text.assemble((state.batch_id, "bold"), f"  {status_text(state)}"),
        *([Text(state.name, style="italic")] if state.name else []),
        _bar(state),
        Text.assemble(
            f"{state.done:,} of {state.total:,} done   ",
            (f"{state.failed:,} failed", "red" if state.failed else ""),
            f"   {state.in_flight:,} in flight",
        ),
        Text(f"{rate.per_second:,.1f}/s{_left(state, rate)}{to_come(state)}"),
        Text(cost(state)),
        Text(f"embedded {state.embedded:,}{_from_cache(state)}, routed {state.routed:,}", style="dim"),
        *_held_up(state, reader),
    )


def _bar(state: Progress) -> RenderableType:
    bar = Table.grid(padding=(0, 2))
    bar.add_row(ProgressBar(total=max(1, state.total), completed=state.done, width=BAR_WIDTH), percent(state))
    return bar


def _left(state: Progress, rate: Rate) -> str:
    return "" if rate.eta_s is None or state.finished else f"   about {duration(rate.eta_s)} left"


def _from_cache(state: Progress) -> str:
    return f" ({state.cache_hits:,} of them embedded before)" if state.cache_hits else ""


def _held_up(state: Progress, reader: Reader) -> list[Text]:
    lines = health_lines(state, reader)
    if len(lines) > MAX_HELD_UP:
        rest = len(lines) - MAX_HELD_UP
        lines = [*lines[:MAX_HELD_UP], f"and {rest} more: {action('status', state, reader)}"]
    return [Text(line, style="yellow") for line in lines]
