"""The progress of a batch at a moment, and its rate."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from tasks.store import batches
from tasks.store.dollars import InDollars
from tasks.store.health.model_errors import ModelError
from tasks.store.health.waits import Wait
from tasks.store.line_counts import line_counts
from tasks.store.priorities import NORMAL
from tasks.wording import counted

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
    `lacks_stack`: roles are missing, and `waybill up` would serve its store, at which nobody works.
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
