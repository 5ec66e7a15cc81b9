"""What is shown while a batch runs: a live view, a bar in a notebook, or warnings where nobody looks."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from tasks.store.progress import Progress, Rate

if TYPE_CHECKING:
    from rich.console import Console

Show = Callable[[Progress, Rate], None]


def progress_display(wanted: bool) -> AbstractContextManager[Show]:
    """Return what shows progress: in a terminal, in a notebook, or warnings of what holds the batch up."""
    from rich.console import Console

    console = Console(stderr=True)
    if wanted and console.is_jupyter:
        from workers.waiting.notebook import notebook_display

        return notebook_display()
    return _live_display(console) if wanted and console.is_terminal else _warnings()


@contextmanager
def _warnings() -> Iterator[Show]:
    """Warn once of each thing that holds the batch up."""
    from tasks.store.health.missing import missing_text
    from tasks.store.health.silent_redis import silent_text
    from workers.views.health import error_text, paused_text

    told: set[object] = set()

    def show(state: Progress, _: Rate) -> None:
        found: dict[object, str] = {("paused", one.model): paused_text(one) for one in state.paused}
        found |= {(one.model, one.code): error_text(one) for one in state.errors}
        if state.missing_roles:
            found[state.missing_roles] = missing_text(state.missing_roles)
        if state.silent_redis and state.waiting:
            found["redis"] = silent_text(state.silent_redis)
        for key, text in found.items():
            if key not in told:
                told.add(key)
                warnings.warn(f"{state.batch_id}: {text}", UserWarning, stacklevel=4)

    yield show


@contextmanager
def _live_display(console: Console) -> Iterator[Show]:
    from rich.live import Live

    from workers.views.live import live_view

    with Live(console=console, refresh_per_second=8) as live:
        yield lambda state, rate: live.update(live_view(state, rate))
