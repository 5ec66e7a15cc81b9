"""When waiting for a batch is over; the one who waits asks for its progress and sleeps in between."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tasks.errors import UsageError
from tasks.store.batch_progress import Progress, Rate
from workers.errors import ServerError
from workers.user_warnings import warn_user
from workers.waiting.display import Show

#: the most reasons that an exception names
_SHOWN = 3


class Wait:
    """One wait for one batch."""

    def __init__(self, show: Show, timeout: float | None) -> None:
        """Begin to wait.

        Args:
            show: Shows the progress.
            timeout: Seconds to wait; None waits as long as it takes.
        """
        self._show = show
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self._first: Progress | None = None

    def sees(self, state: Progress) -> bool:
        """Show the progress, and return whether the batch has ended.

        Raises:
            TimeoutError: It has not, and the time is over.
            UsageError: Its submission was interrupted, so that it never ends by itself.
        """
        if state.broken_off and not state.finished:
            raise UsageError(_broken_off_text(state))
        self._first = self._first or state
        self._show(state, Rate.between(self._first, state))
        if not state.finished and self._deadline is not None and time.monotonic() >= self._deadline:
            raise TimeoutError(_timeout_text(state))
        return state.finished

    @staticmethod
    def warn_of_budget(state: Progress, text: str) -> None:
        """Warn that a batch which has ended has used up its budget, if it has."""
        if text:
            warn_user(f"{state.batch_id}: {text}")


@contextmanager
def going_on(batch_id: str) -> Iterator[None]:
    """Note on what ends the waiting that the batch goes on, and how it is found again."""
    try:
        yield
    except (KeyboardInterrupt, asyncio.CancelledError, ServerError) as error:
        error.add_note(
            f"{batch_id} goes on: `waybill.batch({batch_id!r})` of a `Waybill` finds it again, "
            "its `cancel()` ends it"
        )
        raise


def _broken_off_text(state: Progress) -> str:
    from workers.views.health import broken_off_text

    return f"{state.batch_id}: {broken_off_text(state, 'python')}"


def _timeout_text(state: Progress) -> str:
    from workers.views.health import health_lines

    text = f"{state.batch_id} is {state.state}: {state.done:,} of {state.total:,} done"
    paused = ["`batch.resume()` lets it go on"] if state.is_paused else []
    lines = health_lines(state, "python")
    more = [f"and {len(lines) - _SHOWN} more (`batch.status()`)"] if len(lines) > _SHOWN else []
    return "; ".join([text, *paused, *lines[:_SHOWN], *more])
