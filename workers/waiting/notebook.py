"""Progress in a notebook: a bar of ipywidgets, or a line now and then where that is not installed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape

from tasks.store.batch_progress import Progress, Rate
from workers.views.health import health_lines
from workers.views.status import progress_line
from workers.waiting.display import Show

#: seconds between two lines
LINE_INTERVAL_S = 10.0


@contextmanager
def notebook_display() -> Iterator[Show]:
    """Show a bar, and below it the counts, the money and what holds the batch up."""
    try:
        import ipywidgets
        from IPython.display import display
    except ImportError:
        yield lines(print)
        return
    bar = ipywidgets.IntProgress(min=0, max=1, layout=ipywidgets.Layout(width="60%"))
    text = ipywidgets.HTML()
    display(ipywidgets.VBox([bar, text]))

    def show(state: Progress, rate: Rate) -> None:
        bar.max, bar.value = max(1, state.total), state.done
        if state.finished:
            bar.bar_style = "warning" if state.failed or state.cancelled else "success"
        held_up = "".join(f"<br>{escape(line)}" for line in health_lines(state, "python"))
        text.value = f"{escape(progress_line(state, rate))}{held_up}"

    yield show


def lines(write: Callable[[str], None]) -> Show:
    """Return what writes a line now and then, and one at the end."""
    written_at: float | None = None

    def show(state: Progress, rate: Rate) -> None:
        nonlocal written_at
        now = time.monotonic()
        if state.finished or written_at is None or now - written_at >= LINE_INTERVAL_S:
            written_at = now
            write("\n  ".join([progress_line(state, rate), *health_lines(state, "python")]))

    return show
