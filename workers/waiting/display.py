"""What is shown while a batch runs: a live view, a bar in a notebook, or warnings where nobody looks."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from tasks.store.batch_progress import Progress, Rate
from workers.user_warnings import warn_user
from workers.waiting.told import Told

if TYPE_CHECKING:
    from rich.console import Console

Show = Callable[[Progress, Rate], None]
#: waits that somebody may want to end
_FAILING = ("model", "money")


def progress_display(wanted: bool, told: Told | None = None) -> AbstractContextManager[Show]:
    """Return what shows progress: in a terminal, in a notebook, or warnings of what holds the batch up.

    Args:
        wanted: Show it in a terminal or a notebook.
        told: What was warned of already; None for nothing.
    """
    from rich.console import Console

    console = Console(stderr=True)
    if wanted and console.is_jupyter:
        from workers.waiting.notebook import notebook_display

        return notebook_display()
    if wanted and console.is_terminal:
        return _live_display(console)
    return _warnings(told or Told())


@contextmanager
def _warnings(told: Told) -> Iterator[Show]:
    """Warn once of each thing that holds the batch up, and is not among what was told."""
    from tasks.store.health.missing import missing_text
    from tasks.store.health.redis_refusals import refused_text
    from tasks.store.health.silent_redis import silent_text
    from workers.views.health import error_text, lasts, paused_text, wait_text

    def show(state: Progress, _: Rate) -> None:
        errors = [one for one in state.errors if not told.is_past(one.seconds_ago)]
        found: dict[Hashable, str] = {("paused", one.model): paused_text(one) for one in state.paused}
        found |= {(one.model, one.code): error_text(one) for one in errors if lasts(one, state)}
        found |= {("paused", one.model): wait_text(one) for one in state.waits if one.reason in _FAILING}
        # Of roles only the new ones: as others come and go, the same would be said again and again.
        if missing := tuple(one for one in state.missing_roles if told.is_new(one)):
            found[missing] = missing_text(missing, lacks_stack=state.lacks_stack)
        if state.is_paused:
            found["is_paused"] = "it is paused: nothing of it is begun until `batch.resume()`"
        if state.silent_redis and state.waiting:
            found["redis"] = silent_text(state.silent_redis)
        if state.refused_workers:
            found["rights"] = refused_text(state.refused_workers)
        for key, text in found.items():
            if told.is_new(key):
                warn_user(f"{state.batch_id}: {text}")

    yield show


@contextmanager
def _live_display(console: Console) -> Iterator[Show]:
    from rich.live import Live

    from workers.views.live import live_view

    with Live(console=console, refresh_per_second=8) as live:
        yield lambda state, rate: live.update(live_view(state, rate, "python"))
