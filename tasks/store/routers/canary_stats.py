"""The running canary: failures, costs and judged scores of its requests and of the champion's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, and_, case, cast, func, not_, or_, select, update
from sqlalchemy.types import Float

from router_core.monitoring.canary import Arm, SampleStats
from router_core.pricing import MICROS_PER_DOLLAR
from tasks.store.engine import now_ms
from tasks.store.routers import roles
from tasks.store.routers.roles import CANARY, CHAMPION, Roles
from tasks.store.routers.tables import router_role
from tasks.store.tables import batch, decision, outcome

#: the number of newest decisions that are compared: enough to detect a relevant regression in bounded time
NEWEST = 20_000


@dataclass(frozen=True, slots=True)
class RunningCanary:
    """The canary beside the champion.

    Attributes:
        roles: Their versions, the canary's share and since when it runs.
        canary: The results of the canary.
        champion: The results of the champion.
        judged_at: When the judged scores were measured, ms since 1970; None: not yet.
    """

    roles: Roles
    canary: Arm
    champion: Arm
    judged_at: int | None = None


def read(connection: Connection) -> RunningCanary | None:
    """Return the running canary with what is compared; None if none runs."""
    current = roles.read(connection)
    if current.canary is None:
        return None
    rows = {row["arm"]: row for row in connection.execute(_sums_by_arm(current)).mappings()}
    columns = select(router_role.c.judged, router_role.c.judged_at).where(router_role.c.role == CANARY)
    judged, judged_at = connection.execute(columns).one()
    canary, champion = (_arm(rows.get(arm), (judged or {}).get(arm, {})) for arm in (CANARY, CHAMPION))
    return RunningCanary(current, canary, champion, judged_at)


def record_judged(connection: Connection, current: Roles, by_arm: Mapping[str, SampleStats]) -> None:
    """Keep the judged scores of the arms, unless another canary runs by now."""
    mine = (router_role.c.version == current.canary) & (router_role.c.since == current.since)
    values = {"judged": {arm: asdict(sample) for arm, sample in by_arm.items()}, "judged_at": now_ms()}
    connection.execute(update(router_role).where(router_role.c.role == CANARY, mine).values(**values))


def _sums_by_arm(current: Roles) -> Select[Any]:
    newest = (
        select(decision.c.request_id, decision.c.arm, decision.c.batch_no)
        .join(batch, batch.c.no == decision.c.batch_no)
        .where(
            decision.c.arm.in_((CANARY, CHAMPION)),
            decision.c.router_version.in_((current.canary, current.champion)),
            # What ended before is of an earlier trial of the same version.
            or_(batch.c.finished_at.is_(None), batch.c.finished_at >= current.since),
        )
        .order_by(decision.c.request_id.desc())
        .limit(NEWEST)
        .subquery()
    )
    # Requests that were cancelled, or stopped by the budget, do not depend on the router.
    is_relevant = and_(
        outcome.c.status != "cancelled", func.coalesce(outcome.c.error_code, "") != "budget_exceeded"
    )
    # An answer that was taken from an earlier batch costs nothing and cannot fail, whichever router chose it.
    is_reused = and_(
        outcome.c.status == "succeeded", outcome.c.attempts == 0, outcome.c.status_code.is_not(None)
    )
    cost = cast(outcome.c.cost, Float) / MICROS_PER_DOLLAR
    failed = case((outcome.c.status == "failed", 1.0), else_=0.0)
    return (
        select(
            newest.c.arm,
            func.count().label("n"),
            func.sum(failed).label("failed"),
            func.sum(cost).label("cost"),
            func.sum(cost * cost).label("squares"),
            func.count(newest.c.batch_no.distinct()).label("batches"),
        )
        .join(outcome, outcome.c.request_id == newest.c.request_id)
        .where(is_relevant, not_(is_reused))
        .group_by(newest.c.arm)
    )


def _arm(row: RowMapping | None, judged: Mapping[str, Any]) -> Arm:
    quality = SampleStats(**judged)
    if row is None:
        return Arm(quality=quality)
    n, failed = int(row["n"]), float(row["failed"])
    return Arm(
        failures=SampleStats.of_sums(n, failed, failed),
        cost=SampleStats.of_sums(n, float(row["cost"]), float(row["squares"])),
        quality=quality,
        batches=int(row["batches"]),
    )
