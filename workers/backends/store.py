"""The batches of a store that this process opens itself."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

from tasks.connections.store_url import shown_store
from tasks.errors import BatchWithoutRequests, UnknownBatch
from tasks.formats.requests import InputError
from tasks.formats.results import ResultRecord
from tasks.money.budgets import budget_of
from tasks.private_home import secure
from tasks.settings import Settings
from tasks.store import batches, control, deletion, ingestion, results, steering
from tasks.store.batch_options import BatchOptions
from tasks.store.batch_progress import Progress
from tasks.store.engine import Store
from tasks.store.health.waits import WaitRules
from tasks.store.progress import list_batches, snapshot
from tasks.store.schema import ensure_schema
from tasks.submission import submit
from tasks.submission.batch_writer import SubmissionProgress
from tasks.submission.estimate_values import Estimate
from tasks.submission.options import options_for
from tasks.submission.resumption import own_options, own_reading
from tasks.submission.source import Item
from tasks.submission.source_name import shown
from workers.arguments import errors_in_python, refuse_beside_resume
from workers.backends.interface import OnError, Submission
from workers.backends.refusal import refuse
from workers.backends.stopping import begin, until_stopped
from workers.estimates import estimated
from workers.prompts import lines_of

_OTHER_FOLDER: Final = "for another, start in the folder of `waybill up`, or set WAYBILL_HOME"
_OTHER_URL: Final = "for another, set [store] url in waybill.toml, or WAYBILL_STORE__URL"


class StoreBackend:
    """A store, and the settings that name it."""

    poll_s = 0.25

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._rules = WaitRules.of(settings)
        secure(settings.home)
        self._store = Store(settings.store_url)
        ensure_schema(self._store)

    @property
    def place(self) -> str:
        """The URL of the store, without its password."""
        return shown_store(self._store.engine.url)

    def submit(self, submission: Submission, on_error: OnError) -> str:
        """Store the lines; the first exception after some were stored names their batch."""
        with errors_in_python():
            resume, options, items, source = self._opened(submission)
        batch_id = resume or batches.new_id()
        if resume is not None:
            begin(resume)
        with errors_in_python(), _nothing_stored_said(is_new=resume is None):
            return submit.submit(
                self._store,
                until_stopped(items),
                source=source,
                options=replace(options, hold=not submission.stream),
                budget=submission.budget or budget_of(self.settings.budget),
                strict=submission.strict,
                resume=resume,
                batch_id=batch_id,
                on_create=lambda _: begin(batch_id),
                on_error=on_error,
                on_progress=_first_id_shown(),
            )

    def estimate(self, submission: Submission, on_error: OnError) -> Estimate:
        """Return what all the lines would cost, in one pass over them."""
        with errors_in_python():
            _, options, items, source = self._opened(submission)
            batches.check_budget(options, submission.budget)
            found = estimated(until_stopped(items), self.settings, self._store, options, on_error=on_error)
            first = next(iter(found.bad_lines), None)
            bad = sum(found.invalid.values())
            refuse(shown(source), bad, first, is_empty=not found.requests, strict=submission.strict)
        return found

    def _opened(self, submission: Submission) -> tuple[str | None, BatchOptions, Iterable[Item], str]:
        """Return the batch to resume, if any, the options, the lines, and the name of their source."""
        reading, resume = submission.reading, submission.resume
        if resume is not None:
            _refuse_options(submission)
            resume = self.find(resume)
            reading = own_reading(self._store, resume, reading)
        items, source = lines_of(submission.prompts, self.settings, reading)
        if resume is None:
            return resume, options_for(self.settings, **submission.choices), items, source
        return resume, own_options(self._store, resume), items, source

    def find(self, batch_id: str | None) -> str:
        """Return the id that begins or whose batch is named so, or the newest; raises UnknownBatch."""
        with self._store.read() as connection, self._unknown_here():
            if batch_id is not None:
                return batches.full_id(connection, batch_id)
            return str(batches.find(connection)["id"])

    @contextmanager
    def _unknown_here(self) -> Iterator[None]:
        """Let UnknownBatch say which store was looked into, and how to come to another."""
        try:
            yield
        except BatchWithoutRequests:
            raise
        except UnknownBatch as error:
            advice = _OTHER_FOLDER if self._store.is_sqlite else _OTHER_URL
            error.args = (f"{error} ({self.place}): {advice}",)
            raise

    def newest(self, limit: int) -> list[Progress]:
        """Return the progress of the newest batches, newest first."""
        with self._store.read() as connection:
            return list_batches(connection, limit=limit)

    def progress(self, batch_id: str) -> Progress:
        """Return the progress of a batch."""
        with self._store.read() as connection:
            return snapshot(connection, batch_id, self._rules)

    def exhausted_text(self, state: Progress) -> str:
        """Return what a batch that has ended lacked of its budget; empty if nothing."""
        from workers.views.batch_report import read_exhausted

        with self._store.read() as connection:
            return read_exhausted(connection, state)[0]

    def results(self, batch_id: str, *, failed: bool | None) -> Iterator[ResultRecord]:
        """Yield the results, a page in memory at a time."""
        return results.iter_results(self._store, batch_id, failed=failed)

    def input_errors(self, batch_id: str) -> list[InputError]:
        """Return the bad lines."""
        with self._store.read() as connection:
            return list(ingestion.errors_of(connection, batches.find(connection, batch_id)["no"]))

    def cancel(self, batch_id: str) -> int:
        """Cancel a batch and return the number of requests cancelled."""
        with self._store.write() as connection:
            return control.cancel(connection, batch_id)

    def pause(self, batch_id: str) -> None:
        """Begin nothing more of a batch."""
        with self._store.write() as connection:
            steering.pause(connection, batch_id)

    def resume(self, batch_id: str) -> None:
        """Let a batch go on."""
        with self._store.write() as connection:
            steering.resume(connection, batch_id)

    def set_budget(self, batch_id: str, budget: int) -> None:
        """Set the cap of a running batch."""
        with self._store.write() as connection:
            steering.set_budget(connection, batch_id, budget)

    def retry(self, batch_id: str, budget: int | None) -> int:
        """Send again what failed and return how many requests."""
        with self._store.write() as connection:
            return control.retry(connection, batch_id, budget=budget)

    def delete_data(self, batch_id: str) -> None:
        """Delete the prompts and answers of a batch."""
        with self._store.write() as connection:
            numbers = deletion.mark(connection, batch_id)
        for number in numbers:
            deletion.clear(self._store, number)

    def close(self) -> None:
        """Close the connections."""
        self._store.close()


def _refuse_options(submission: Submission) -> None:
    """Raise UsageError for options of a new batch, which one that is resumed has already."""
    with errors_in_python():
        refuse_beside_resume({**submission.choices, "budget": submission.budget, "stream": submission.stream})


@contextmanager
def _nothing_stored_said(*, is_new: bool) -> Iterator[None]:
    """Let Ctrl-C before the first lines of a new batch are stored say that there is none."""
    try:
        yield
    except KeyboardInterrupt as error:
        if is_new and not hasattr(error, "batch_id"):
            error.add_note("nothing was stored, and there is no batch: submit again")
        raise


def _first_id_shown() -> Callable[[SubmissionProgress], None]:
    """Return what says the id of a batch, on stderr once its first lines are stored and more may come."""
    told = False

    def progressed(state: SubmissionProgress) -> None:
        nonlocal told
        if not told and state.lines >= submit.FIRST_LINES:
            told = True
            print(f"{state.batch_id}: the prompts are being stored", file=sys.stderr, flush=True)

    return progressed
