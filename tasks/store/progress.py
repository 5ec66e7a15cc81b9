"""The progress of a batch, from cheap queries; those that scan a batch are in `summary`."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection, RowMapping, func, select

from tasks.providers.errors import ErrorKind
from tasks.store import batches, paused_models
from tasks.store.api import keys
from tasks.store.batch_options import BatchOptions
from tasks.store.batch_progress import PausedModel, Progress
from tasks.store.engine import now_ms
from tasks.store.health import model_errors, senders, waits, workers
from tasks.store.health.missing import missing_roles
from tasks.store.health.redis_refusals import refused_workers
from tasks.store.health.silent_redis import silent_redis
from tasks.store.health.waits import WaitRules
from tasks.store.ids import SENT, ids_of
from tasks.store.learning import calls_to_come
from tasks.store.learning.judge_runs import JUDGE
from tasks.store.page.tables import batch_figures
from tasks.store.routers import drift
from tasks.store.tables import attempt, batch
from tasks.store.unlocked import deltas

_COUNTERS = (
    "source", "status", "total", "invalid", "duplicates", "random_duplicates", "reused", "saved",
    "data_deleted_at", "archived_at", "embedded", "cache_hits", "routed", "fallbacks",
    "succeeded", "failed", "cancelled", "calls", "budget", "spent", "reserved", "budget_stops",
    "invalid_answers", "repaired", "asked_again", "created_at", "finished_at",
    "priority", "paused_at", "purpose",
)  # fmt: skip


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
    # What a newer Waybill stored in another form must not keep a list from its other batches.
    options = BatchOptions.readable(row["options"]) or BatchOptions()
    is_sent = row["status"] == "ingesting"
    errors = model_errors.of_batch(connection, row["no"])
    counters["calls"] -= sum(one.calls for one in errors if one.code == ErrorKind.MISSING_KEY)  # not made
    missing = missing_roles(connection, dict(row))
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
        missing_roles=missing,
        silent_redis=silent_redis(connection, dict(row)),
        refused_workers=refused_workers(connection, dict(row)),
        lacks_stack=bool(missing) and workers.lacks_stack(connection),
        errors=errors,
        routing_saved=_routing_saved(connection, row["no"]),
        more_calls=calls_to_come.likely(connection, row["no"], options) if is_judging else 0,
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
