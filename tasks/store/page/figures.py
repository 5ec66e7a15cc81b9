"""The figures of batches that their counters do not tell; they are counted beside the work, and stored.

To look at a batch reads its counters. To count its parts reads all of it: the larger it is the more rarely,
so that the counting takes a small share of the store's time.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    CompoundSelect,
    Connection,
    RowMapping,
    Select,
    and_,
    case,
    func,
    or_,
    select,
    union,
    update,
)

from tasks.store import batches, running_totals
from tasks.store.engine import Store, now_ms
from tasks.store.outcomes import insert_ignoring
from tasks.store.page import parts
from tasks.store.page.course import Course, Point
from tasks.store.page.parts import Parts
from tasks.store.page.tables import batch_figures
from tasks.store.running_totals import ROUTING_SAVED
from tasks.store.tables import batch
from tasks.store.unlocked import deltas

#: seconds between two looks at the counters of a batch
LOOK_S = 2.0
#: a count is repeated after so many times its own duration, and no sooner than after so many ms
_DUTY, _MIN_PAUSE_MS = 200, 5_000
_LONG_MS = _MIN_PAUSE_MS // _DUTY
#: of the batches that have ended, so many of the newest are looked at
_NEWEST = 200
#: the most batches that are looked at in one transaction
_MANY = 50


@dataclass(frozen=True, slots=True)
class Figures:
    """The stored figures of a batch.

    Attributes:
        rate: Requests per second lately.
        course: Its counters over time.
        parts: Its parts when they were last counted.
        counted_done: How many requests had ended then; None if they were never counted.
    """

    rate: float = 0.0
    course: Course = field(default_factory=Course)
    parts: Parts = field(default_factory=Parts)
    counted_done: int | None = None


NONE = Figures()


def of_batch(connection: Connection, batch_no: int) -> Figures:
    """Return the figures of a batch."""
    query = select(batch_figures).where(batch_figures.c.batch_no == batch_no)
    row = connection.execute(query).mappings().one_or_none()
    return NONE if row is None else _figures(row)


def of_batches(connection: Connection, batch_nos: Collection[int]) -> dict[int, Figures]:
    """Return the figures of these batches, as far as there are any."""
    query = select(batch_figures).where(batch_figures.c.batch_no.in_(batch_nos))
    return {row["batch_no"]: _figures(row) for row in connection.execute(query).mappings()}


def look(store: Store) -> int:
    """Note the counters of batches that run, or have ended since the last look; returns how many changed."""
    with store.read() as connection:
        rows = [deltas.with_unfolded(connection, row) for row in _due(connection)]
        if not rows:
            return 0
        now = connection.execute(select(now_ms())).scalar_one()
        known = of_batches(connection, [row["no"] for row in rows])
    changed = 0
    with store.write() as connection:
        for row in rows:
            changed += _note(connection, row, known.get(row["no"]), now)
    return changed


def count_one(store: Store) -> bool:
    """Count the parts of one batch whose turn it is; False if there is none."""
    with store.read() as connection:
        found = connection.execute(_to_count()).first()
    if found is None:
        return False
    with store.write() as connection:
        if not _claimed(connection, found.no, found.counted_at):
            return True
    count(store, found.no)
    return True


def count(store: Store, batch_no: int) -> Figures:
    """Count the parts of a batch, store and return them; it reads all of the batch."""
    began = time.monotonic()
    with store.read() as connection:
        done = _done(batches.by_number(connection, batch_no))
        counted = parts.count(connection, batch_no)
    took_ms = round((time.monotonic() - began) * 1000)
    values = {"parts": counted.to_row(), "counted_done": done, "count_ms": took_ms, "counted_at": now_ms()}
    saved = counted.single.saved if counted.single else None
    with store.write() as connection:
        connection.execute(insert_ignoring(connection, batch_figures).values(batch_no=batch_no))
        mine = batch_figures.c.batch_no == batch_no
        before = connection.execute(select(batch_figures.c.saved).where(mine).with_for_update()).scalar_one()
        connection.execute(update(batch_figures).where(mine).values(**values, saved=saved))
        running_totals.add(connection, ROUTING_SAVED, (saved or 0) - (before or 0))
        return of_batch(connection, batch_no)


def _candidates() -> CompoundSelect[tuple[int]]:
    """Return the query for the batches that run, and the newest others, found by indexes."""
    newest = select(batch.c.no).order_by(batch.c.no.desc()).limit(_NEWEST).subquery()
    return union(select(batch.c.no).where(batch.c.status.in_(batches.UNFINISHED)), select(newest.c.no))


def _due(connection: Connection) -> list[RowMapping]:
    """Return batches that run, or have ended and were not looked at since."""
    before = or_(
        batch_figures.c.sampled_at.is_(None), batch_figures.c.sampled_at <= now_ms() - int(LOOK_S * 1000)
    )
    unseen = or_(batch_figures.c.sampled_at.is_(None), batch_figures.c.sampled_at < batch.c.finished_at)
    runs = batch.c.status.in_(batches.UNFINISHED)
    query = (
        select(batch)
        .select_from(batch.outerjoin(batch_figures, batch_figures.c.batch_no == batch.c.no))
        .where(batch.c.no.in_(_candidates()), or_(and_(runs, before), and_(~runs, unseen)))
        .order_by(func.coalesce(batch_figures.c.sampled_at, 0), batch.c.no.desc())
        .limit(_MANY)
    )
    return list(connection.execute(query).mappings())


def _note(connection: Connection, row: Mapping[str, Any], known: Figures | None, now: int) -> bool:
    """Note the counters of a batch; False where another process has done so meanwhile."""
    before = known or NONE
    at_ms = max(0, (row["finished_at"] or now) - row["created_at"])
    course = before.course + Point(at_ms, _done(row), row["failed"], row["spent"])
    values: dict[str, Any] = {"sampled_at": now, "rate": course.rate(at_ms)}
    if course != before.course:
        values["course"] = course.to_row()
    if known is None:
        statement = insert_ignoring(connection, batch_figures).values(batch_no=row["no"], **values)
        return bool(connection.execute(statement).rowcount)
    due = (batch_figures.c.batch_no == row["no"]) & (batch_figures.c.sampled_at < now)
    return bool(connection.execute(update(batch_figures).where(due).values(**values)).rowcount)


def _to_count() -> Select[tuple[int, int]]:
    """Return the query for a batch that has changed since it was counted, and whose pause is over."""
    done = batch.c.succeeded + batch.c.failed + batch.c.cancelled
    pause = case((batch_figures.c.count_ms > _LONG_MS, _DUTY * batch_figures.c.count_ms), else_=_MIN_PAUSE_MS)
    rested = batch_figures.c.counted_at + pause <= now_ms()
    return (
        select(batch.c.no, batch_figures.c.counted_at)
        .join(batch_figures, batch_figures.c.batch_no == batch.c.no)
        .where(batch.c.no.in_(_candidates()), done > 0, batch_figures.c.counted_done.is_distinct_from(done))
        .where(or_(rested, batch.c.status.in_(batches.FINISHED)))
        .order_by(batch_figures.c.counted_at, batch.c.no)
        .limit(1)
    )


def _claimed(connection: Connection, batch_no: int, counted_at: int) -> bool:
    """Take the counting of a batch; False where another process has taken it."""
    mine = (batch_figures.c.batch_no == batch_no) & (batch_figures.c.counted_at == counted_at)
    return bool(connection.execute(update(batch_figures).where(mine).values(counted_at=now_ms())).rowcount)


def _done(row: Mapping[Any, Any]) -> int:
    return int(row["succeeded"] + row["failed"] + row["cancelled"])


def _figures(row: RowMapping) -> Figures:
    """Return stored figures; none of another Waybill in another form: those are counted anew."""
    try:
        course, parts_ = Course.from_row(row["course"]), Parts.from_row(row["parts"])
    except (AttributeError, KeyError, TypeError):
        return NONE
    return Figures(row["rate"], course, parts_, row["counted_done"])
