"""A submitted batch in the Python API: its progress, its results, and what can be done to it."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from tasks.errors import UsageError
from tasks.formats.outputs.flat import COLUMNS, flat_row
from tasks.formats.requests import InputError
from tasks.formats.results import ResultRecord
from tasks.money.budgets import budget_of, required_budget
from tasks.store import batches, control, deletion, ingestion, results, steering
from tasks.store.engine import Store
from tasks.store.progress import Progress, Rate, snapshot
from workers.errors import MissingPartError

if TYPE_CHECKING:
    import pandas
    from rich.console import Console

POLL_S = 0.25


class Batch:
    """A submitted batch."""

    def __init__(self, store: Store, batch_id: str) -> None:
        self._store = store
        self.id = batch_id

    def status(self) -> Progress:
        """Return the progress at this moment."""
        with self._store.read() as connection:
            return snapshot(connection, self.id)

    def wait(self, *, progress: bool = True, timeout: float | None = None) -> Progress:
        """Wait until the batch has ended, and return its last progress.

        Args:
            progress: Draw the progress; in a terminal or a notebook only.
            timeout: Seconds to wait; None waits as long as it takes.

        Warns:
            UserWarning: No worker of a role runs that the batch waits for, a model is paused, or calls to it
                fail; each once, where the progress is not drawn. Or the batch's budget was used up.

        Raises:
            TimeoutError: The batch has not ended in time. It goes on.
            UsageError: Its submission was interrupted, so that it never ends by itself.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        with _progress_display(progress) as show:
            first = state = self.status()
            while not state.finished:
                if state.broken_off:
                    raise UsageError(_broken_off_text(state))
                show(state, Rate.between(first, state))
                if deadline is not None and time.monotonic() >= deadline:
                    raise TimeoutError(_timeout_text(state))
                time.sleep(POLL_S)
                state = self.status()
            show(state, Rate.between(first, state))
        self._warn_if_exhausted(state)
        return state

    def _warn_if_exhausted(self, state: Progress) -> None:
        from workers.views.batch_report import read_exhausted

        with self._store.read() as connection:
            text, _ = read_exhausted(connection, state)
        if text:
            warnings.warn(f"{self.id}: {text}", UserWarning, stacklevel=3)

    def results(self) -> Iterator[ResultRecord]:
        """Yield a record for each request that has ended, in input order, then for each bad line.

        Records are read in pages, so that memory stays flat.
        """
        return results.iter_results(self._store, self.id)

    def input_errors(self) -> list[InputError]:
        """Return the bad lines, which were not sent, with their reasons, in input order."""
        with self._store.read() as connection:
            number = batches.find(connection, self.id)["no"]
            return list(ingestion.errors_of(connection, number))

    def to_pandas(self) -> pandas.DataFrame:
        """Return the results as a data frame: a row for each line of the input, in flat columns.

        Raises:
            MissingPartError: pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise MissingPartError("to_pandas needs pandas: pip install 'waybill[notebook]'") from None
        return pandas.DataFrame([flat_row(record) for record in self.results()], columns=list(COLUMNS))

    def cancel(self) -> int:
        """Cancel the batch and return the number of requests cancelled; calls in flight end and are kept."""
        with self._store.write() as connection:
            return control.cancel(connection, self.id)

    def pause(self) -> None:
        """Begin nothing of the batch until `resume`; calls in flight end.

        Raises:
            UsageError: The batch has ended.
        """
        with self._store.write() as connection:
            steering.pause(connection, self.id)

    def resume(self) -> None:
        """Let the paused batch go on; one whose submission was interrupted, with the lines that it holds.

        Raises:
            UsageError: The batch has ended.
        """
        with self._store.write() as connection:
            steering.resume(connection, self.id)

    def set_budget(self, budget: float) -> None:
        """Set the limit in dollars for all that the running batch ever spends.

        Raises:
            UsageError: The batch has ended, has spent or reserved more already, or has a model without the
                price that a budget needs.
        """
        with self._store.write() as connection:
            steering.set_budget(connection, self.id, required_budget(budget))

    def retry(self, *, budget: float | None = None) -> int:
        """Send again what failed or was cancelled, and return the number of these requests.

        Args:
            budget: A new limit in dollars for all that the batch ever spends; None keeps the old one.

        Raises:
            UsageError: The batch still runs, is a run of judges, has a model without the price that a budget
                needs, or has used up its budget and no other is given.
        """
        with self._store.write() as connection:
            return control.retry(connection, self.id, budget=budget_of(budget))

    def delete_data(self) -> None:
        """Delete the batch's prompts and answers; its counts and costs stay.

        Raises:
            UsageError: The batch still runs, or judges are comparing its answers.
        """
        with self._store.write() as connection:
            numbers = deletion.mark(connection, self.id)
        for number in numbers:
            deletion.clear(self._store, number)

    def __repr__(self) -> str:
        return f"Batch({self.id!r})"


def _broken_off_text(state: Progress) -> str:
    from workers.views.health import broken_off_text

    return f"{state.batch_id}: {broken_off_text(state)}"


def _timeout_text(state: Progress) -> str:
    from workers.views.health import health_lines

    text = f"{state.batch_id} is {state.status}: {state.done} of {state.total} done"
    return "; ".join([text, *health_lines(state)])


_Show = Callable[[Progress, Rate], None]


def _progress_display(wanted: bool) -> AbstractContextManager[_Show]:
    """Return what shows progress: a live view in a terminal or a notebook, nothing elsewhere."""
    from rich.console import Console

    console = Console(stderr=True)
    return _live_display(console) if wanted and (console.is_terminal or console.is_jupyter) else _warnings()


@contextmanager
def _warnings() -> Iterator[_Show]:
    """Warn once of each thing that holds the batch up."""
    from tasks.store.health.missing import missing_text
    from workers.views.health import error_text, paused_text

    told: set[object] = set()

    def show(state: Progress, _: Rate) -> None:
        found: dict[object, str] = {("paused", one.model): paused_text(one) for one in state.paused}
        found |= {(one.model, one.code): error_text(one) for one in state.errors}
        if state.missing_roles:
            found[state.missing_roles] = missing_text(state.missing_roles)
        for key, text in found.items():
            if key not in told:
                told.add(key)
                warnings.warn(f"{state.batch_id}: {text}", UserWarning, stacklevel=5)

    yield show


@contextmanager
def _live_display(console: Console) -> Iterator[_Show]:
    from rich.live import Live

    from workers.views.live import live_view

    with Live(console=console, refresh_per_second=8) as live:
        yield lambda state, rate: live.update(live_view(state, rate))
