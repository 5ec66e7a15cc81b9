"""Following a batch to its end: a live view in a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from workers.cli.exit_codes import ExitCode
from workers.cli.output import info, stderr_console

if TYPE_CHECKING:
    from tasks.settings import Settings
    from tasks.store.batch_progress import Progress, Rate
    from tasks.store.engine import Store
    from tasks.store.health.waits import WaitRules

POLL_S = 0.25
LINE_INTERVAL_S = 5.0
#: The rate is averaged over this many seconds.
RATE_WINDOW_S = 10.0


def follow_to_end(store: Store, settings: Settings, batch_id: str) -> ExitCode:
    """Show progress on stderr until the batch is finished, and return the exit status that it means."""
    from tasks.store.health.waits import WaitRules
    from workers.views.batch_report import read_exhausted
    from workers.views.familiarity import familiarity_of, unfamiliar_warning

    try:
        state = follow(store, batch_id, rules=WaitRules.of(settings))
        with store.read() as connection:
            exhausted, _ = read_exhausted(connection, state)
        if exhausted:
            info(f"{batch_id}: {exhausted}")
        if warning := unfamiliar_warning(familiarity_of(state), batch_id):
            info(f"{batch_id}: {warning}")
        return exit_code_of(state)
    except KeyboardInterrupt:
        info(f"{batch_id} goes on without being watched: `waybill status {batch_id} --watch`")
        raise


def follow(
    store: Store, batch_id: str, poll: Callable[[], None] = lambda: None, *, rules: WaitRules | None = None
) -> Progress:
    """Show progress on stderr until the batch is finished; `poll` is called several times a second."""
    snapshots = _snapshots(store, batch_id, poll, rules)
    return _draw_live(snapshots) if stderr_console().is_terminal else _print_lines(snapshots)


def exit_code_of(state: Progress) -> ExitCode:
    """Return the exit status that a finished batch means."""
    if state.budget_stops:
        return ExitCode.BUDGET_STOP
    if state.failed or state.cancelled or state.invalid:
        return ExitCode.SOME_FAILED
    return ExitCode.DONE


def _snapshots(
    store: Store, batch_id: str, poll: Callable[[], None], rules: WaitRules | None
) -> Iterator[tuple[Progress, Rate]]:
    """Yield progress and rate of a batch several times a second, the last time when it is finished."""
    from tasks.errors import UsageError
    from tasks.store.batch_progress import Rate
    from tasks.store.progress import snapshot
    from workers.views.health import broken_off_text

    window: deque[Progress] = deque()
    while True:
        with store.read() as connection:
            state = snapshot(connection, batch_id, rules)
        window.append(state)
        while state.elapsed_s - window[0].elapsed_s > RATE_WINDOW_S and len(window) > 2:
            window.popleft()
        if state.broken_off:
            raise UsageError(f"{batch_id}: {broken_off_text(state)}")
        if state.finished:
            yield state, Rate(state.done / state.elapsed_s if state.elapsed_s > 0 else 0.0, None)
            return
        yield state, Rate.between(window[0], state)
        poll()
        time.sleep(POLL_S)


def _print_lines(snapshots: Iterator[tuple[Progress, Rate]]) -> Progress:
    from workers.views.health import health_lines
    from workers.views.status import progress_line

    printed_at = 0.0
    for state, rate in snapshots:
        if state.finished or time.monotonic() - printed_at >= LINE_INTERVAL_S:
            printed_at = time.monotonic()
            info(progress_line(state, rate))
            for line in health_lines(state):
                info(f"  {line}")
    return state


def _draw_live(snapshots: Iterator[tuple[Progress, Rate]]) -> Progress:
    from rich.live import Live

    from workers.views.live import live_view

    with Live(console=stderr_console(), refresh_per_second=8) as live:
        for state, rate in snapshots:
            live.update(live_view(state, rate))
    return state
