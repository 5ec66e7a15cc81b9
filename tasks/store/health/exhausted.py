"""Batches that ended because their budget was used up, and what would be enough for the rest."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, func, select

from router_core.pricing import MICROS_PER_DOLLAR
from tasks.store.health import retry_costs
from tasks.store.ids import ids_of
from tasks.store.learning import calls_to_come
from tasks.store.learning.judge_runs import JUDGE
from tasks.store.learning.samples import COLLECT
from tasks.store.tables import attempt

#: what is added to the mean cost of a call: the rest of a batch may be longer
_MORE = 1.2
#: the command whose dry run says what a batch costs, where that is not `submit`
_COMMANDS: Final[Mapping[str, str]] = {COLLECT: "collect", JUDGE: "judge"}


def enough_budget(connection: Connection, row: Mapping[str, Any]) -> int | None:
    """Return the budget, in micro-dollars, that is probably enough for all of a batch; None if unknown.

    It is what is spent, what a retry probably costs (`retry_costs.likely`), and a fifth of that. The last
    call must fit with its worst case. Of a run of judges, it is what the next run needs for the pairs that
    are left, all of them judged. It reads the batch's calls: it is meant for the end of a batch.
    """
    if _is_judging(row):
        return _enough_to_judge(connection, row["no"])
    rest = retry_costs.likely(connection, row["no"])
    return None if rest is None else int(row["spent"]) + math.ceil(_MORE * rest.mean + rest.worst)


def _enough_to_judge(connection: Connection, batch_no: int) -> int | None:
    """Return what all pairs that are left need; each call costs what those of the dearest judge did."""
    query = (
        select(func.avg(attempt.c.cost), func.max(attempt.c.reserved))
        .where(attempt.c.request_id.between(*ids_of(batch_no)), attempt.c.state == "succeeded")
        .group_by(attempt.c.model)
    )
    by_model = connection.execute(query).all()
    if not by_model:
        return None
    mean, worst = (max(values) for values in zip(*by_model, strict=True))
    left = calls_to_come.most_of_unsettled(connection, batch_no)
    return math.ceil(_MORE * float(mean) * left + int(worst))


def exhausted_text(row: Mapping[str, Any], enough: int | None) -> str:
    """Return how many requests did not fit the budget, and which one would be enough."""
    number = row["budget_stops"]
    requests = "1 request" if number == 1 else f"{number:,} requests"
    cap = "" if row["budget"] is None else f" of ${row['budget'] / MICROS_PER_DOLLAR:.6g}"
    return f"{requests} did not fit the budget{cap}: {_advice(row, enough)}"


def spent_text(row: Mapping[str, Any], enough: int | None) -> str:
    """Return that a budget is less than what a batch has spent, and which one would be enough."""
    spent = f"${row['spent'] / MICROS_PER_DOLLAR:.6g} is spent already"
    return spent if enough is None else f"{spent}; about {_rounded_up(enough)} would be enough"


def _advice(row: Mapping[str, Any], enough: int | None) -> str:
    if enough is None:
        again = "judge again" if _is_judging(row) else "retry"
        dry_run = f"`waybill {_COMMANDS.get(row.get('purpose', ''), 'submit')} --dry-run`"
        return f"not one call has fitted: {again} with a larger budget ({dry_run} estimates the cost)"
    if _is_judging(row):
        return f"`waybill judge --budget {_rounded_up(enough)[1:]}` judges the rest, at most all of its pairs"
    return f"retry with a budget of about {_rounded_up(enough)} for the whole batch"


def _is_judging(row: Mapping[str, Any]) -> bool:
    return row.get("purpose") == JUDGE


def _rounded_up(micros: int) -> str:
    """Return dollars, up to the next cent or hundredth of a cent: what is shown must be enough."""
    scale = 100 if micros >= MICROS_PER_DOLLAR else 10_000
    return f"${math.ceil(micros / MICROS_PER_DOLLAR * scale) / scale:g}"
