"""A submitted batch in the Python API: its progress, its results, and what can be done to it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tasks.formats.outputs.flat import COLUMNS, flat_row
from tasks.formats.requests import InputError
from tasks.formats.results import ResultRecord
from tasks.money.budgets import budget_of, required_budget
from tasks.store.batch_progress import Progress
from workers.backends.interface import Backend
from workers.errors import MissingPartError
from workers.integer_ids import whole_numbers
from workers.user_warnings import warn_user
from workers.waiting.display import progress_display
from workers.waiting.told import Told
from workers.waiting.wait import Wait, going_on

if TYPE_CHECKING:
    import pandas


class Batch:
    """A submitted batch."""

    def __init__(self, backend: Backend, batch_id: str) -> None:
        self._backend = backend
        self.id = batch_id
        # What `wait` has warned of.
        self.told = Told()

    @property
    def poll_s(self) -> float:
        """How often, in seconds, its progress may be asked for."""
        return self._backend.poll_s

    def status(self) -> Progress:
        """Return the progress at this moment.

        Raises:
            UsageError: The API server refused its file.
        """
        return self._backend.progress(self.id)

    def wait(self, *, progress: bool = True, timeout: float | None = None) -> Progress:
        """Wait until the batch has ended, and return its last progress.

        Args:
            progress: Show the progress in a terminal or a notebook.
            timeout: Seconds to wait; None waits as long as it takes.

        Warns:
            UserWarning: The batch is paused, no worker of a role runs that it waits for, it waits for a model
                that is not called or for money, or calls go on failing or have left requests without an
                answer; each once, where the progress is not shown. Or its budget was used up.

        Ctrl-C ends the waiting, not the batch; the exception's note says how to find it again.

        Raises:
            TimeoutError: The batch has not ended in time. It goes on.
            UsageError: Its submission was interrupted, so that it never ends by itself, or the API server
                refused its file.
        """
        with progress_display(progress, self.told) as show, going_on(self.id):
            waiting = Wait(show, timeout)
            while not waiting.sees(state := self.status()):
                time.sleep(self.poll_s)
        Wait.warn_of_budget(state, self.exhausted_text(state))
        return state

    def exhausted_text(self, state: Progress) -> str:
        """Return what it lacked of its budget, once it has ended; empty if nothing."""
        return self._backend.exhausted_text(state)

    def results(self, *, failed: bool | None = None) -> Iterator[ResultRecord]:
        """Yield a record for each request that has ended, in input order, then for each bad line.

        Records are read in pages, so that memory stays flat.

        Args:
            failed: True yields only what has no answer, bad lines included; False only answers.
        """
        return self._backend.results(self.id, failed=failed)

    def input_errors(self) -> list[InputError]:
        """Return the bad lines, which were not sent, with their reasons, in input order."""
        return self._backend.input_errors(self.id)

    def to_pandas(self) -> pandas.DataFrame:
        """Return the results as a data frame: a row for each line of the input, in its order.

        Bad lines stand at their places. The columns are flat (docs/formats.md, "Results").
        `custom_id` has whole numbers where the prompts were given with such, and none where one lacked its
        id; else it has text.

        Warns:
            UserWarning: The batch has not ended: only what has is there.

        Raises:
            MissingPartError: pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise MissingPartError("to_pandas needs pandas: pip install 'waybill[notebook]'") from None
        state = self.status()
        if not state.finished:
            warn_user(_partial_text(state))
        rows = sorted(map(flat_row, self.results()), key=lambda row: int(row["line"]))
        frame = pandas.DataFrame(rows, columns=list(COLUMNS))
        numbers = whole_numbers(frame["custom_id"], frame["line"]) if state.integer_ids else None
        if numbers is not None:
            frame["custom_id"] = pandas.Series(numbers, dtype="Int64" if None in numbers else "int64")
        return frame

    def cancel(self) -> int:
        """Cancel the batch and return the number of requests cancelled; calls in flight end and are kept."""
        return self._backend.cancel(self.id)

    def pause(self) -> None:
        """Begin nothing of the batch until `resume`; calls in flight end.

        Raises:
            UsageError: The batch has ended.
        """
        self._backend.pause(self.id)

    def resume(self) -> None:
        """Let the paused batch go on; one whose submission was interrupted, with the lines that it holds.

        Raises:
            UsageError: The batch has ended.
        """
        self._backend.resume(self.id)

    def set_budget(self, budget: float) -> None:
        """Set the limit in dollars for all that the running batch ever spends.

        Raises:
            UsageError: The batch has ended, has spent or reserved more already, or has a model without the
                price that a budget needs.
        """
        self._backend.set_budget(self.id, required_budget(budget))

    def retry(self, *, budget: float | None = None) -> int:
        """Send again what failed or was cancelled, and return the number of these requests.

        Args:
            budget: A new limit in dollars for all that the batch ever spends; None keeps the old one.

        Raises:
            UsageError: The batch still runs, is a run of judges, has a model without the price that a budget
                needs, or has used up its budget and no other is given.
        """
        asked_at = time.monotonic()
        number = self._backend.retry(self.id, budget_of(budget))
        self.told.begin_again(asked_at)
        return number

    def delete_data(self) -> None:
        """Delete the batch's prompts and answers; its counts and costs stay.

        Raises:
            UsageError: The batch still runs, or judges are comparing its answers.
        """
        self._backend.delete_data(self.id)

    def __repr__(self) -> str:
        return f"Batch({self.id!r})"


def _partial_text(state: Progress) -> str:
    return (
        f"{state.batch_id} is {state.state}: the data frame is partial, {state.done:,} of {state.total:,} "
        "requests have ended; `batch.wait()` waits for all"
    )
