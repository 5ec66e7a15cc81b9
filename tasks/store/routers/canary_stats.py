"""The failures and costs of the canary's and the champion's requests since the canary started."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, RowMapping, Select, and_, case, cast, func, not_, select
from sqlalchemy.types import Float

from router_core.monitoring.canary import Arm, SampleStats
from router_core.pricing import MICROS_PER_DOLLAR
from tasks.store.routers.roles import CANARY, CHAMPION, Roles
from tasks.store.tables import decision, outcome

#: the number of newest decisions that are compared: enough to detect a relevant regression in bounded time
NEWEST = 20_000


def arms(connection: Connection, roles: Roles) -> tuple[Arm, Arm]:
    """Return the statistics of the canary and of the champion, without those of quality."""
    rows = {row["arm"]: row for row in connection.execute(_sums_by_arm(roles)).mappings()}
    return _arm(rows.get(CANARY)), _arm(rows.get(CHAMPION))


def _sums_by_arm(roles: Roles) -> Select[Any]:
    newest = (
        select(decision.c.request_id, decision.c.arm)
        .where(
            decision.c.arm.in_((CANARY, CHAMPION)),
            decision.c.router_version.in_((roles.canary, roles.champion)),
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
        )
        .join(outcome, outcome.c.request_id == newest.c.request_id)
        .where(is_relevant, not_(is_reused))
        .group_by(newest.c.arm)
    )


def _arm(row: RowMapping | None) -> Arm:
    if row is None:
        return Arm()
    n, failed = int(row["n"]), float(row["failed"])
    return Arm(
        failures=SampleStats.of_sums(n, failed, failed),
        cost=SampleStats.of_sums(n, float(row["cost"]), float(row["squares"])),
    )
