"""The progress of a batch, from cheap queries; those that scan a batch are in `summary`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sqlalchemy import Connection, RowMapping, func, select

from tasks.providers.errors import ErrorKind
from tasks.store import batches, paused_models
from tasks.store.api import keys
from tasks.store.batch_options import BatchOptions
from tasks.store.dollars import InDollars
from tasks.store.engine import now_ms
from tasks.store.health import model_errors, senders, waits, workers
from tasks.store.health.missing import missing_roles
from tasks.store.health.model_errors import ModelError
from tasks.store.health.redis_refusals import refused_workers
from tasks.store.health.silent_redis import silent_redis
from tasks.store.health.waits import Wait, WaitRules
from tasks.store.ids import SENT, ids_of
from tasks.store.learning import calls_to_come
from tasks.store.learning.judge_runs import JUDGE
from tasks.store.line_counts import line_counts
from tasks.store.page.tables import batch_figures
from tasks.store.priorities import NORMAL
from tasks.store.routers import drift
from tasks.store.tables import attempt, batch
from tasks.store.unlocked import deltas
from tasks.wording import counted

_COUNTERS = (
    "source", "status", "total", "invalid", "duplicates", "random_duplicates", "reused", "saved",
    "data_deleted_at", "archived_at", "embedded", "cache_hits", "routed", "fallbacks",
    "succeeded", "failed", "cancelled", "calls", "budget", "spent", "reserved", "budget_stops",
    "invalid_answers", "repaired", "asked_again", "created_at", "finished_at",
    "priority", "paused_at", "purpose",
)  # fmt: skip
#: what `request_counts` is made of
_OF_LINES = ("total", "invalid", "succeeded", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class PausedModel:
    """A model that no worker calls now, and the reason."""

    model: str
    reason: str
    seconds_left: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress(InDollars):
    """A snapshot of a batch; money is in micro-dollars, times are in ms since 1970 by the database's clock.

    `in_flight` counts calls that were reserved and not settled. `embedded`, `cache_hits`, `routed` and
    `fallbacks` do not count duplicates. `invalid_answers` counts answers that did not fit what their
    requests demand, `asked_again` the calls for better ones. `reused` counts answers taken from earlier
    batches, and `saved` is what their calls had cost. `data_deleted_at` is when prompts and answers were
    deleted, `archived_at` when they moved to an archive, `paused_at` since when nothing is begun.
    `purpose` is answer, or of the learning loop: collect, judge. Of the routed requests, `familiar` have
    prompts like the router's labelled ones, and `unfamiliar` others; a router that does not measure
    novelty counts neither. `held` means that nothing is begun before the last line is stored; `sending`,
    whether the sender of the lines is alive, None once all are stored, and for a batch of the API, whose
    server sends the rest by itself. `missing_roles` are those that it
    waits for and that no worker has (arguments of `waybill worker`); `errors` is what its calls failed
    with, of each model the last first. `silent_redis` is the address at which it waits for Redis, which does
    not answer; `refused_workers` are the workers whose Redis user may not do what their role needs.
    `lacks_stack`: `waybill up` would serve its store, at which nobody works.
    `name` is what people call the batch.
    `integer_ids`: its first ids were given as whole numbers. `owner` is the name of the key that submitted it
    to the API; None: the command or the Python API did.
    `waits` says what its open requests wait for, beside their turn. `more_calls` is how many calls a run of
    judges will probably add, whose pairs are chosen as verdicts come; it is 0 for other batches.
    `routing_saved` is what routing has saved against the best single model, as an API server last counted it;
    None where none has, or no router chose.
    In dollars there are `cost_usd`, `budget_usd`, `reserved_usd`, `saved_usd`, `routing_saved_usd` and
    `projected_usd`.
    """

    batch_no: int
    batch_id: str
    source: str
    status: str
    route_only: bool
    total: int
    invalid: int
    duplicates: int
    embedded: int
    cache_hits: int
    routed: int
    fallbacks: int
    succeeded: int
    failed: int
    cancelled: int
    in_flight: int
    calls: int
    budget: int | None
    spent: int
    reserved: int
    budget_stops: int
    invalid_answers: int
    repaired: int
    asked_again: int
    created_at: int
    finished_at: int | None
    elapsed_s: float
    paused: tuple[PausedModel, ...] = ()
    random_duplicates: int = 0
    reused: int = 0
    saved: int = 0
    data_deleted_at: int | None = None
    archived_at: int | None = None
    familiar: int = 0
    unfamiliar: int = 0
    priority: str = NORMAL
    paused_at: int | None = None
    purpose: str = batches.ANSWER
    held: bool = False
    sending: bool | None = None
    missing_roles: tuple[str, ...] = ()
    errors: tuple[ModelError, ...] = ()
    name: str | None = None
    integer_ids: bool = False
    silent_redis: str | None = None
    refused_workers: tuple[str, ...] = ()
    lacks_stack: bool = False
    owner: str | None = None
    waits: tuple[Wait, ...] = ()
    more_calls: int = 0
    routing_saved: int | None = None

    def __repr__(self) -> str:
        name = f" {self.name!r}" if self.name else ""
        created = datetime.fromtimestamp(self.created_at / 1000, UTC)
        done = f"{self.done:,} of {self.total:,} done, {self.failed:,} failed"
        cancelled = f", {self.cancelled:,} cancelled" if self.cancelled else ""
        bad_lines = f", {counted(self.invalid, 'bad line')}" if self.invalid else ""
        return (
            f"Progress({self.batch_id}{name} of {created:%Y-%m-%d %H:%M} UTC: {self.state}, "
            f"{done}{cancelled}{bad_lines}, ${self.cost_usd:,.4f})"
        )

    @property
    def id(self) -> str:
        """The id of the batch, as `Batch.id`."""
        return self.batch_id

    @property
    def state(self) -> str:
        """The status, and whether it stands still: `in_progress, paused`, `ingesting, interrupted`."""
        still = ", interrupted" if self.interrupted else ", paused" if self.is_paused else ""
        return f"{self.status}{still}"

    @property
    def is_paused(self) -> bool:
        """Whether nothing of it is begun until `resume`; a batch that is being sent is not called so."""
        return self.paused_at is not None and not self.finished and not self.held

    @property
    def interrupted(self) -> bool:
        """Whether its submission stopped before the last line; see `held` for whether it is worked on."""
        return self.sending is False and not self.finished

    @property
    def done(self) -> int:
        """The number of requests that have an outcome."""
        return self.succeeded + self.failed + self.cancelled

    @property
    def request_counts(self) -> dict[str, int]:
        """The lines by how they ended, bad ones among them, as `request_counts` of the API."""
        return line_counts({name: getattr(self, name) for name in _OF_LINES})

    @property
    def waiting(self) -> int:
        """The number of requests that have no outcome and no call in flight."""
        return self.total - self.done - self.in_flight

    @property
    def left(self) -> int:
        """The number of requests that will probably still end."""
        return self.total - self.done + self.more_calls

    @property
    def finished(self) -> bool:
        """Whether the batch is completed or cancelled."""
        return self.status in batches.FINISHED

    @property
    def broken_off(self) -> bool:
        """Whether the sender stopped before the last line, and nothing goes on without somebody's help."""
        return self.sending is False and (self.held or self.done == self.total)

    @property
    def budget_exhausted(self) -> bool:
        """Whether the batch has ended with requests that did not fit its budget."""
        return self.finished and self.budget_stops > 0

    @property
    def calls_saved(self) -> int:
        """The number of calls that were saved because duplicates share one."""
        return 0 if self.route_only else self.duplicates

    @property
    def unfamiliar_share(self) -> float | None:
        """The share of prompts unlike the labelled ones; None where no router measured it."""
        measured = self.familiar + self.unfamiliar
        return self.unfamiliar / measured if measured else None

    @property
    def projected(self) -> int | None:
        """The projected cost of the whole batch, in micro-dollars; None until a request has ended.

        It assumes that duplicates, which are free, are spread evenly over the batch.
        """
        ended = self.succeeded + self.failed
        return self.spent + round(self.spent / ended * self.left) if ended else None


@dataclass(frozen=True, slots=True)
class Rate:
    """The requests per second between two snapshots, and the seconds left at that rate."""

    per_second: float
    eta_s: float | None

    @classmethod
    def between(cls, earlier: Progress, later: Progress) -> Rate:
        """Return the rate between two snapshots of one batch."""
        seconds = later.elapsed_s - earlier.elapsed_s
        rate = max(0, later.done - earlier.done) / seconds if seconds > 0 else 0.0
        return cls(rate, later.left / rate if rate else (None if later.left else 0.0))


def snapshot(connection: Connection, batch_id: str | None = None, rules: WaitRules | None = None) -> Progress:
    """Return the progress of this batch, or of the newest one; `rules` say when waits end.

    It reads one row, short indexes, a row for each router, and at most `waits.MOST` requests for each model
    that fails. Raises UnknownBatch.
    """
    row = batches.find(connection, batch_id)
    state = _progress(connection, row, _paused(connection))
    return replace(state, waits=waits.of_batch(connection, dict(row), state.errors, rules))


def list_batches(connection: Connection, *, limit: int = 20, loop: bool = False) -> list[Progress]:
    """Return the batches that users submitted, newest first; with `loop`, those of the learning loop too.

    Those that another batch pays for are left out.
    """
    query = select(batch).where(batch.c.payer_no.is_(None)).order_by(batch.c.no.desc()).limit(limit)
    if not loop:
        query = query.where(batch.c.purpose == batches.ANSWER)
    return [_progress(connection, row) for row in connection.execute(query).mappings().all()]


def _progress(connection: Connection, row: RowMapping, paused: tuple[PausedModel, ...] = ()) -> Progress:
    now, current = connection.execute(select(now_ms())).scalar_one(), deltas.with_unfolded(connection, row)
    counters = {name: current[name] for name in _COUNTERS}
    is_judging = row["purpose"] == JUDGE and row["status"] in batches.OPEN
    if is_judging:  # nobody sends it lines: its workers make them
        counters["status"] = "in_progress"
    options, is_sent = BatchOptions.from_row(row["options"]), row["status"] == "ingesting"
    errors = model_errors.of_batch(connection, row["no"])
    counters["calls"] -= sum(one.calls for one in errors if one.code == ErrorKind.MISSING_KEY)  # not made
    is_own = is_sent and row["owner"] is None
    counted = drift.familiarity_of_batch(connection, row["no"])
    return Progress(
        batch_no=row["no"],
        batch_id=row["id"],
        name=options.name,
        owner=keys.name_of(connection, row["owner"]) if row["owner"] else None,
        integer_ids=options.integer_ids,
        route_only=options.route_only,
        held=options.hold and is_sent and current["paused_at"] is not None,
        sending=senders.is_alive(connection, row["id"]) if is_own else None,
        in_flight=_in_flight(connection, row["no"]),
        elapsed_s=((row["finished_at"] or now) - row["created_at"]) / 1000,
        paused=paused,
        familiar=counted.familiar if counted else 0,
        unfamiliar=counted.unfamiliar if counted else 0,
        missing_roles=missing_roles(connection, dict(row)),
        silent_redis=silent_redis(connection, dict(row)),
        refused_workers=refused_workers(connection, dict(row)),
        lacks_stack=workers.lacks_stack(connection),
        errors=errors,
        routing_saved=_routing_saved(connection, row["no"]),
        more_calls=calls_to_come.likely(connection, row["no"]) if is_judging else 0,
        **counters,
    )


def _routing_saved(connection: Connection, batch_no: int) -> int | None:
    query = select(batch_figures.c.saved).where(batch_figures.c.batch_no == batch_no)
    return connection.execute(query).scalar_one_or_none()


def _in_flight(connection: Connection, batch_no: int) -> int:
    query = (
        select(func.count())
        .select_from(attempt)
        .where(attempt.c.state == SENT, attempt.c.request_id.between(*ids_of(batch_no)))
    )
    return connection.execute(query).scalar_one()


def _paused(connection: Connection) -> tuple[PausedModel, ...]:
    now = connection.execute(select(now_ms())).scalar_one()
    rows = paused_models.paused(connection)
    return tuple(PausedModel(r["model"], r["reason"], (r["paused_until"] - now) / 1000) for r in rows)
