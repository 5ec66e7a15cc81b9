"""The writer of a submission: slices of lines, each stored in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection, RowMapping

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
from tasks.submission.bad_lines import bad_lines_text
from tasks.submission.source import Item
from tasks.submission.source_name import shown


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


class BatchWriter:
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
        """Go on with an interrupted batch; raises UsageError if it is not one of this source and owner."""
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
        """Return the lines that the batch does not hold yet."""
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
        """Return what is stored so far."""
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
