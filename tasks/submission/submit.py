"""Submitting: a stream of parsed lines becomes a batch, slice by slice, in memory that does not grow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import dropwhile

from sqlalchemy import Connection, RowMapping

from router_core.policy.preferences import Policy
from tasks.errors import SettingsError, UsageError
from tasks.formats.errors import FormatError
from tasks.formats.requests import InputError, ParsedRequest
from tasks.settings import ModelSettings, Settings
from tasks.store import batches, control, ingestion
from tasks.store.engine import Store
from tasks.store.learning import exploration
from tasks.store.routers import roles
from tasks.store.values import BatchOptions
from tasks.submission.disk_set import DiskSet
from tasks.submission.source import Item

#: lines per transaction, and the text that a transaction holds at most before the last of its lines
SLICE_LINES = 2_000
#: of the first transaction; each holds twice as many as the one before, so that workers begin at once
FIRST_LINES = 500
SLICE_CHARACTERS = 16 << 20


@dataclass(frozen=True, slots=True)
class SubmissionProgress:
    """How far a submission has come: `lines` is the number of the last line that is stored."""

    batch_id: str
    lines: int
    requests: int
    invalid: int
    duplicates: int


def options_for(
    settings: Settings,
    *,
    models: Sequence[str] = (),
    route_only: bool = False,
    dedupe: bool = True,
    policy: Policy | None = None,
    fallback: bool = True,
    quality_floor: float | None = None,
    cost_weight: float | None = None,
    budget_per_1000: float | None = None,
    explore: float = 0.0,
) -> BatchOptions:
    """Return the options of a new batch; `models` narrows the settings' models to some of them.

    fallback: whether another model may answer where the chosen one cannot. explore: the share of routed
    requests whose model is drawn, and which the other candidates answer as well.

    Raises:
        SettingsError: The settings have no models, or one without a price.
        UsageError: A model is not among them.
    """
    known = [model.name for model in settings.models]
    if not known:
        raise SettingsError("no models: add [[models]] to waybill.toml")
    unknown = [name for name in models if name not in known]
    if unknown:
        raise UsageError(f"no model {unknown[0]!r} among [[models]]: {', '.join(known)}")
    candidates = tuple(dict.fromkeys(models))
    wished = settings.router.with_overrides(
        policy=policy,
        quality_floor=quality_floor,
        cost_weight=cost_weight,
        budget_per_1000=budget_per_1000,
    )
    return BatchOptions(
        models=candidates,
        route_only=route_only,
        dedupe=dedupe,
        policy=wished.policy,
        quality_floor=wished.quality_floor,
        cost_weight=wished.cost_weight,
        budget_per_1000=wished.budget_per_1000,
        fallback=fallback,
        explore=explore,
        group_size=settings.dispatch.group_size,
        # Without a router, or with nothing to choose from, nobody reads the vectors.
        embed=settings.router.path is not None and len(candidates or settings.candidates) > 1,
        prices={model.name: _price(model) for model in settings.models},
    )


def _price(model: ModelSettings) -> tuple[float, float] | None:
    price = model.price  # raises for a model that nobody allowed to be called without one
    return (price.input_per_million, price.output_per_million) if model.known_price else None


def submit(
    store: Store,
    items: Iterable[Item],
    *,
    source: str,
    options: BatchOptions,
    budget: int | None = None,
    strict: bool = False,
    resume: str | None = None,
    on_error: Callable[[InputError], None] | None = None,
    on_progress: Callable[[SubmissionProgress], None] | None = None,
) -> str:
    """Store the lines as a batch, which workers begin on at once, and return its id.

    source: what the lines come from, as people know it. budget: micro-dollars, None for no cap.
    strict: one bad line refuses the whole input. resume: the id of a batch whose submission died; the lines
    that it holds are passed over. on_error is told each bad line, on_progress each stored slice.

    Raises:
        UsageError: No line is valid (no batch is left then); a bad line under strict, or input that cannot be
            read twice; a batch that cannot be resumed; a budget with a model that has no price.
        FormatError: The input cannot be read. If it breaks off after lines were stored, their batch is
            cancelled.
    """
    report_error = on_error or (lambda _: None)
    batches.check_budget(options, budget)
    if strict:
        _refuse_bad_lines(items, source, report_error)
    target = _BatchWriter(store, source, options, budget)
    if resume is not None:
        target.resume(resume)
    try:
        for part in _slices(target.unread(items)):
            for error in target.take(part):
                report_error(error)
            if on_progress:
                on_progress(target.taken())
    except FormatError as error:
        raise target.abort(error) from None
    return target.finish()


class _BatchWriter:
    """The batch that is being filled; it comes into being with its first slice."""

    def __init__(self, store: Store, source: str, options: BatchOptions, budget: int | None) -> None:
        self._store, self._source, self._options, self._budget = store, source, options, budget
        self._row: RowMapping | None = None
        self._first_error: InputError | None = None

    def resume(self, batch_id: str) -> None:
        with self._store.read() as connection:
            row = batches.find(connection, batch_id)
        if row["status"] != "ingesting":
            raise UsageError(f"{batch_id} is {row['status']}: nothing is left to resume")
        if row["source"] != self._source:
            raise UsageError(f"{batch_id} was read from {row['source']}, not from {self._source}")
        self._row, self._options = row, BatchOptions.from_row(row["options"])

    def unread(self, items: Iterable[Item]) -> Iterator[Item]:
        done = self._row["lines_read"] if self._row else 0
        return dropwhile(lambda item: item.line <= done, items)

    def take(self, part: Sequence[Item]) -> list[InputError]:
        with self._store.write() as connection:
            batch_no = (self._row or self._create(connection))["no"]
            errors = ingestion.ingest(connection, batch_no, self._options, part)
            row = batches.lock(connection, batch_no)
        self._row = row
        self._first_error = self._first_error or next(iter(errors), None)
        return errors

    def taken(self) -> SubmissionProgress:
        assert self._row is not None
        row = self._row
        return SubmissionProgress(
            row["id"], row["lines_read"], row["total"], row["invalid"], row["duplicates"]
        )

    def finish(self) -> str:
        row = self._row
        if row is None:
            raise UsageError(f"{self._source} holds no requests")
        with self._store.write() as connection:
            if row["total"]:
                ingestion.finish(connection, row["no"])
                return str(row["id"])
            ingestion.discard(connection, row["no"])
        raise UsageError(f"{self._source} holds no request: {_summary(row['invalid'], self._first_error)}")

    def abort(self, cause: FormatError) -> Exception:
        """Leave no half batch that goes on; returns what to raise."""
        row = self._row
        if row is None:
            return cause
        with self._store.write() as connection:
            if not row["total"]:
                ingestion.discard(connection, row["no"])
                return cause
            control.cancel(connection, row["id"])
        return UsageError(f"{cause}; {row['id']}, which had {row['total']} requests by then, was cancelled")

    def _create(self, connection: Connection) -> RowMapping:
        # A promoted router chooses where the settings name none.
        promoted = roles.read(connection).champion is not None
        if promoted and len(self._options.models or self._options.prices) > 1:
            self._options = replace(self._options, embed=True)
        options = self._options
        row = batches.create(connection, source=self._source, options=options, budget=self._budget)
        if options.explore and not options.route_only:
            exploration.create_exploration_batch(connection, row)
        return row


def _slices(items: Iterator[Item]) -> Iterator[list[Item]]:
    part: list[Item] = []
    size, most = 0, min(FIRST_LINES, SLICE_LINES)
    for item in items:
        part.append(item)
        size += len(item.body) if isinstance(item, ParsedRequest) else 0
        if len(part) == most or size >= SLICE_CHARACTERS:
            yield part
            part, size, most = [], 0, min(2 * most, SLICE_LINES)
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
        raise UsageError(f"{source} was not submitted: {_summary(number, first)}")


def _bad_lines(items: Iterable[Item]) -> Iterator[InputError]:
    with DiskSet() as custom_ids:
        for item in items:
            if isinstance(item, InputError):
                yield item
            elif not custom_ids.add(item.custom_id.encode()):
                yield ingestion.repeated_id(item)


def _summary(number: int, first: InputError | None) -> str:
    example = f", the first at line {first.line}: {first.reason}" if first else ""
    return f"{number} bad line{'s' if number > 1 else ''}{example}"
