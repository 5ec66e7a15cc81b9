"""Submission: a stream of parsed lines is stored as a batch, slice by slice, in constant memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import dropwhile

from sqlalchemy import Connection, RowMapping

from router_core.policy.preferences import Policy
from tasks.errors import SettingsError, UsageError
from tasks.formats.determinism import Dedupe, dedupe_of
from tasks.formats.errors import FormatError
from tasks.formats.periods import seconds_of
from tasks.formats.requests import InputError, ParsedRequest
from tasks.settings import Settings
from tasks.store import batches, control, ingestion
from tasks.store.engine import Store
from tasks.store.learning import exploration
from tasks.store.routers import roles
from tasks.store.values import BatchOptions
from tasks.submission.disk_set import DiskSet
from tasks.submission.packages import refuse_what_cannot_be_called
from tasks.submission.prices import stored_prices
from tasks.submission.screening import Screen
from tasks.submission.source import Item
from tasks.validation.validators import checked, checked_mode

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


def options_for(
    settings: Settings,
    *,
    models: Sequence[str] = (),
    route_only: bool = False,
    dedupe: bool | Dedupe | None = None,
    reuse: str | timedelta | None = None,
    reuse_any: bool = False,
    policy: Policy | None = None,
    fallback: bool = True,
    quality_floor: float | None = None,
    cost_weight: float | None = None,
    budget_per_1000: float | None = None,
    explore: float = 0.0,
    validate: str | None = None,
    validators: Sequence[str] = (),
    strict_params: bool = False,
) -> BatchOptions:
    """Return the options of a new batch.

    Args:
        models: The candidates, a subset of the settings' models; all routed ones if empty.
        dedupe: Which equal requests are answered by one call; by default those that the settings name.
        reuse: How old an answer of an earlier batch to an equal, deterministic request may be to be taken in
            place of a call: `30d`, `12h`; None takes none.
        reuse_any: Whether answers that were drawn at random (temperature above 0, no seed) are taken as well.
        fallback: Whether another model may answer a request that the chosen one cannot.
        explore: The share of routed requests whose model is drawn at random; the other candidates answer them
            as well.
        validate: What becomes of an answer that does not fit: off, flag or retry; by default [dispatch] says.
        validators: The user's own validators: `regex:PATTERN`, `json`, `python-syntax`.
        strict_params: Whether a request goes only to models that take all of its parameters.

    Raises:
        SettingsError: The settings have no models, or one without a price or a package that it needs.
        UsageError: A model is not in the settings, the policy `budget` has no budget, or there is no such
            validator.
    """
    known = [model.name for model in settings.models]
    if not known:
        raise SettingsError("no models: add [[models]] to waybill.toml")
    unknown = [name for name in models if name not in known]
    if unknown:
        raise UsageError(f"no model {unknown[0]!r} among [[models]]: {', '.join(known)}")
    candidates = tuple(dict.fromkeys(models))
    refuse_what_cannot_be_called(
        [model for model in settings.models if model.name in candidates] or settings.candidates
    )
    router_settings = settings.router.with_overrides(
        policy=policy,
        quality_floor=quality_floor,
        cost_weight=cost_weight,
        budget_per_1000=budget_per_1000,
    )
    return BatchOptions(
        models=candidates,
        route_only=route_only,
        reuse_s=None if reuse is None else seconds_of(reuse),
        reuse_any=reuse_any,
        dedupe=dedupe_of(settings.dedupe if dedupe is None else dedupe),
        policy=router_settings.policy,
        quality_floor=router_settings.quality_floor,
        cost_weight=router_settings.cost_weight,
        budget_per_1000=router_settings.budget_per_1000,
        fallback=fallback,
        explore=explore,
        validate=checked_mode(validate or settings.dispatch.validation),
        validators=tuple(dict.fromkeys(map(checked, validators))),
        group_size=settings.dispatch.group_size,
        # Without a router, or with a single candidate, the vectors would not be used.
        embed=settings.router.path is not None and len(candidates or settings.candidates) > 1,
        deployments={model.name: model.litellm for model in settings.models},
        strict_params=strict_params,
        capabilities={model.name: model.known_capabilities.as_row() for model in settings.models},
        **stored_prices(settings),
    )


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
    screen: Screen | None = None,
) -> str:
    """Store the lines as a batch and return its id; workers start on it at once.

    Args:
        source: The name of the input, for people.
        budget: The cap on the cost in micro-dollars; None for no cap.
        strict: Refuse the whole input for a single bad line.
        resume: The id of a batch whose submission was interrupted; the lines that it holds are skipped.
        on_error: Called with each bad line.
        on_progress: Called after each stored slice.
        screen: Finds the models that can answer each line; by default that of the options.

    Raises:
        UsageError: No line is valid (no batch is left then); a bad line under strict, or input that cannot be
            read twice; a batch that cannot be resumed; a budget with a model that has no price.
        FormatError: The input cannot be read. If reading fails after lines were stored, their batch is
            cancelled, and a UsageError names it instead.
    """
    report_error = on_error or (lambda _: None)
    batches.check_budget(options, budget)
    with closing(screen or Screen.of(options)) as screen:
        items = screen.over(items)
        if strict:
            _refuse_bad_lines(items, source, report_error)
        writer = _BatchWriter(store, source, options, budget)
        if resume is not None:
            writer.resume(resume)
        try:
            for part in _slices(writer.unread(items)):
                for error in writer.write(part):
                    report_error(error)
                if on_progress:
                    on_progress(writer.progress())
        except FormatError as error:
            raise writer.abort(error) from None
        return writer.finish()


class _BatchWriter:
    """A writer of slices of lines to one batch, which it creates with the first slice."""

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

    def write(self, part: Sequence[Item]) -> list[InputError]:
        """Store one slice in one transaction and return its bad lines."""
        with self._store.write() as connection:
            batch_no = (self._row or self._create(connection))["no"]
            errors = ingestion.ingest(connection, batch_no, self._options, part)
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

    def finish(self) -> str:
        """End the ingestion and return the batch's id; raises UsageError if it holds no request."""
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
        """Discard or cancel the incomplete batch and return the error to raise."""
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
        # A promoted router routes even where the settings name none.
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
