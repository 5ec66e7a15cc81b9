"""Submission: a stream of parsed lines is stored as a batch, slice by slice, in constant memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing

from sqlalchemy import Connection

from tasks import tracing
from tasks.formats.errors import FormatError
from tasks.formats.requests import InputError, ParsedRequest
from tasks.store import batches
from tasks.store.batch_options import BatchOptions
from tasks.store.engine import Store
from tasks.submission.bad_lines import refuse_bad_lines
from tasks.submission.batch_writer import BatchWriter, SubmissionProgress
from tasks.submission.screening import Screen
from tasks.submission.sender import Sender
from tasks.submission.source import Item

#: the most lines per transaction
SLICE_LINES = 2_000
#: lines of the first transaction; each one doubles the number, so that workers can start early
FIRST_LINES = 500
#: a transaction also ends with the line that brings its text to this many characters
SLICE_CHARACTERS = 16 << 20


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
    writer = BatchWriter(store, source, options, budget, batch_id=batch_id, owner=owner)
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
            refuse_bad_lines(items, source, report_error)
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
