"""Submission: a stream of parsed lines is stored as a batch, slice by slice, in constant memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from sqlalchemy import Connection, RowMapping

from tasks import tracing
from tasks.errors import StaleWork, UsageError
from tasks.formats.errors import FormatError
from tasks.formats.requests import InputError, ParsedRequest
from tasks.store import batches, control, ingestion, steering
from tasks.store.batch_options import BatchOptions
from tasks.store.engine import Store
from tasks.store.health import senders
from tasks.store.learning import exploration
from tasks.store.routers import roles
from tasks.submission import resumption
from tasks.submission.disk_set import DiskSet
from tasks.submission.screening import Screen
from tasks.submission.sender import Sender
from tasks.submission.source import Item

#: the most lines per transaction
SLICE_LINES = 2_000
#: lines of the first transaction; each one doubles the number, so that workers can start early
FIRST_LINES = 500
#: a transaction also ends with the line that brings its text to this many characters
SLICE_CHARACTERS = 16 << 20


@dataclass(frozen=True, slots=True)
class SubmissionProgress:
    """The progress of a submission; `lines` is the number of the last line that is stored.

    `random_duplicates` are duplicates that share an answer drawn at random (temperature above 0, no seed).
    """

    batch_id: str
    lines: int
    requests: int
    invalid: int
    duplicates: int
    random_duplicates: int = 0


@tracing.span("submit")
def submit(
    store: Store,
    items: Iterable[Item],
    *,
    source: str,
    options: BatchOptions,
    budget: int | None = None,
    strict: bool = False,
    resume: str | None = None,
    batch_id: str | None = None,
    owner: str | None = None,
    on_create: Callable[[Connection], None] | None = None,
    on_error: Callable[[InputError], None] | None = None,
    on_progress: Callable[[SubmissionProgress], None] | None = None,
    on_dropped: Callable[[dict[str, dict[str, int]]], None] | None = None,
) -> str:
    """Store the lines as a batch and return its id; workers start on it at once.

    A batch that is held (`BatchOptions.hold`) begins when its last line is stored.
    An interruption leaves what is stored: see `tasks.submission.sender`.

    Args:
        source: The name of the input, for people.
        budget: The cap on the cost in micro-dollars; None for no cap.
        strict: Refuse the whole input for a single bad line.
        resume: The id of a batch whose submission was interrupted: the lines that it holds are compared and
            skipped, and its own options hold for the others.
        batch_id: The id of the batch; by default a new one.
        owner: The id of the API's key that the batch belongs to; None for the command and the Python API.
        on_create: Called in the transaction that creates the batch, which an exception undoes.
        on_error: Called with each bad line.
        on_progress: Called after each stored slice.
        on_dropped: Called at the end with the requests by parameter and by the model that does not take it;
            LiteLLM is asked for them, which may take seconds.

    Raises:
        StaleWork: Another process goes on with this submission.
        UsageError: No line is valid (no batch is left then); a bad line under strict, or input that cannot be
            read twice; a batch that cannot be resumed, or holds other lines than those given; a budget with
            a model that has no price.
        FormatError: The input cannot be read. If reading fails after lines were stored, their batch is
            cancelled, and a UsageError names it instead.
    """
    report_error = on_error or (lambda _: None)
    if resume is None:
        batches.check_budget(options, budget)
    batch_id = resume or batch_id or batches.new_id()
    writer = _BatchWriter(store, source, options, budget, batch_id=batch_id, owner=owner)
    writer.on_create = on_create
    sender = Sender(store)
    if resume is not None:
        sender.follows(resume)
        writer.resume(resume)
    with closing(Screen.of(writer.options)) as screen, sender:
        if resume is not None:
            sender.begins(resume)  # it may take long to read to where the batch ends
        items = screen.over(items)
        if strict:
            _refuse_bad_lines(items, source, report_error)
        try:
            for part in _slices(writer.unread(items)):
                sender.begins(batch_id)
                for error in writer.write(part):
                    report_error(error)
                if on_progress:
                    on_progress(writer.progress())
        except FormatError as error:
            raise writer.abort(error) from None
        writer.finish()
        sender.ends()
        if on_dropped:
            on_dropped(screen.dropped())
        return batch_id


class _BatchWriter:
    """A writer of slices of lines to one batch, which it creates with the first slice."""

    def __init__(
        self,
        store: Store,
        source: str,
        options: BatchOptions,
        budget: int | None,
        *,
        batch_id: str,
        owner: str | None,
    ) -> None:
        self._store, self._source, self.options, self._budget = store, source, options, budget
        self._id, self._owner = batch_id, owner
        self.on_create: Callable[[Connection], None] | None = None
        self._row: RowMapping | None = None
        self._first_error: InputError | None = None

    def resume(self, batch_id: str) -> None:
        with self._store.read() as connection:
            row = batches.find(connection, batch_id)
        if row["status"] != "ingesting":
            raise UsageError(f"{batch_id} is {row['status']}: nothing is left to resume")
        if row["owner"] != self._owner:
            raise UsageError(f"{batch_id} belongs to a key of the API, whose server sends the rest")
        if row["source"] != self._source:
            raise UsageError(f"{batch_id} was read from {row['source']}, not from {self._source}")
        self._row, self.options = row, BatchOptions.from_row(row["options"])
        with self._store.write() as connection:
            senders.beat(connection, batch_id)

    def unread(self, items: Iterable[Item]) -> Iterator[Item]:
        if self._row is None:
            return iter(items)
        return resumption.unread(self._store, self._row, items, shown(self._source))

    def write(self, part: Sequence[Item]) -> list[InputError]:
        """Store one slice in one transaction and return its bad lines."""
        with self._store.write() as connection:
            row = self._row or self._create(connection, part)
            batch_no = row["no"]
            if batches.lock(connection, batch_no)["lines_read"] != row["lines_read"]:
                raise StaleWork(f"another process submits {row['id']}")
            errors = ingestion.ingest(connection, batch_no, self.options, part)
            row = batches.lock(connection, batch_no)
        self._row = row
        self._first_error = self._first_error or next(iter(errors), None)
        return errors

    def progress(self) -> SubmissionProgress:
        assert self._row is not None
        row = self._row
        return SubmissionProgress(
            row["id"],
            row["lines_read"],
            row["total"],
            row["invalid"],
            row["duplicates"],
            row["random_duplicates"],
        )

    def finish(self) -> None:
        """End the ingestion; raises UsageError if the batch holds no request."""
        row = self._row
        if row is None:
            raise UsageError(f"{shown(self._source)} holds no requests")
        with self._store.write() as connection:
            if row["total"]:
                steering.finish_submission(connection, row["id"])
                return
            ingestion.discard(connection, row["no"])
            senders.end(connection, row["id"])
        raise UsageError(
            f"{shown(self._source)} holds no request: {bad_lines_text(row['invalid'], self._first_error)}"
        )

    def abort(self, cause: FormatError) -> Exception:
        """Discard or cancel the incomplete batch and return the error to raise."""
        row = self._row
        if row is None:
            return cause
        with self._store.write() as connection:
            senders.end(connection, row["id"])
            if not row["total"]:
                ingestion.discard(connection, row["no"])
                return cause
            control.cancel(connection, row["id"])
        return UsageError(f"{cause}; {row['id']}, which had {row['total']} requests by then, was cancelled")

    def _create(self, connection: Connection, first: Sequence[Item]) -> RowMapping:
        given = {item.integer_id for item in first if isinstance(item, ParsedRequest)} - {None}
        self.options = replace(self.options, integer_ids=given == {True})
        # A promoted router routes even where the settings name none.
        promoted = roles.read(connection).champion is not None
        if promoted and len(self.options.models or self.options.prices) > 1:
            self.options = replace(self.options, embed=True)
        options = self.options
        row = batches.create(
            connection,
            source=self._source,
            options=options,
            budget=self._budget,
            owner=self._owner,
            batch_id=self._id,
        )
        senders.beat(connection, row["id"])
        if self.on_create:
            self.on_create(connection)
        if options.explore and not options.route_only:
            exploration.create_exploration_batch(connection, row)
        return row


def shown(source: str) -> str:
    """Return the name of an input as messages show it."""
    return "the list of prompts" if source == batches.PYTHON else source


def _slices(items: Iterator[Item]) -> Iterator[list[Item]]:
    part: list[Item] = []
    characters, max_lines = 0, min(FIRST_LINES, SLICE_LINES)
    for item in items:
        part.append(item)
        characters += len(item.body) if isinstance(item, ParsedRequest) else 0
        if len(part) == max_lines or characters >= SLICE_CHARACTERS:
            yield part
            part, characters, max_lines = [], 0, min(2 * max_lines, SLICE_LINES)
    if part:
        yield part


def _refuse_bad_lines(items: Iterable[Item], source: str, on_error: Callable[[InputError], None]) -> None:
    if iter(items) is items:
        raise UsageError("strict reads the input twice: give a file or a list, not an iterator")
    first, number = None, 0
    for error in _bad_lines(items):
        on_error(error)
        first, number = first or error, number + 1
    if number:
        raise UsageError(f"{shown(source)} was not submitted: {bad_lines_text(number, first)}")


def _bad_lines(items: Iterable[Item]) -> Iterator[InputError]:
    with DiskSet() as custom_ids:
        for item in items:
            if isinstance(item, InputError):
                yield item
            elif not custom_ids.add(item.custom_id.encode()):
                yield ingestion.repeated_id(item)


def bad_lines_text(number: int, first: InputError | None) -> str:
    """Return how many lines are bad, and why the first is."""
    example = f", the first at line {first.line}: {first.reason}" if first else ""
    return f"{number} bad line{'s' if number > 1 else ''}{example}"
