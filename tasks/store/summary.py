"""The summary of a batch: counts that scan it, so they are for its end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Integer, cast, func, select

from tasks.store.tables import attempt, decision, outcome


@dataclass(frozen=True, slots=True)
class ModelSummary:
    """A model's part in a batch: requests it answered (duplicates among them), its calls and their cost."""

    model: str
    requests: int
    calls: int
    failed_calls: int
    retries: int
    cost: int
    mean_latency_ms: float | None


@dataclass(frozen=True, slots=True)
class CategorySummary:
    """The requests of a category and where they were sent; the category is None where nothing was routed."""

    category: str | None
    requests: int
    fallbacks: int
    models: dict[str, int]


def by_model(connection: Connection, batch_no: int) -> list[ModelSummary]:
    """Return each model's part, by name. Scans the batch."""
    ended = (
        select(outcome.c.model, func.count())
        .where(outcome.c.batch_no == batch_no, outcome.c.status == "succeeded")
        .group_by(outcome.c.model)
    )
    answered: dict[str, int] = dict(connection.execute(ended).tuples().all())
    failed = attempt.c.state.in_(("failed", "unknown"))
    query = (
        select(
            attempt.c.model,
            func.count(),
            func.count().filter(failed),
            func.count().filter(attempt.c.number > 1),
            func.sum(attempt.c.cost),
            func.avg(attempt.c.latency_ms).filter(attempt.c.state == "succeeded"),
        )
        .where(attempt.c.batch_no == batch_no)
        .group_by(attempt.c.model)
    )
    called = {row[0]: row[1:] for row in connection.execute(query)}
    return [
        ModelSummary(model, answered.get(model, 0), *_calls(called.get(model)))
        for model in sorted({*answered, *called})
    ]


def by_category(connection: Connection, batch_no: int) -> list[CategorySummary]:
    """Return what was decided per category, largest first; duplicates are not counted. Scans the batch."""
    query = (
        select(
            decision.c.category,
            decision.c.model,
            func.count(),
            func.sum(cast(decision.c.used_fallback, Integer)),
        )
        .where(decision.c.batch_no == batch_no)
        .group_by(decision.c.category, decision.c.model)
        .order_by(decision.c.model)
    )
    models: dict[str | None, dict[str, int]] = {}
    fallbacks: dict[str | None, int] = {}
    for category, model, number, fell_back in connection.execute(query):
        models.setdefault(category, {})[model] = number
        fallbacks[category] = fallbacks.get(category, 0) + int(fell_back)
    rows = [CategorySummary(c, sum(counts.values()), fallbacks[c], counts) for c, counts in models.items()]
    return sorted(rows, key=lambda row: (-row.requests, row.category or ""))


def failures(connection: Connection, batch_no: int) -> dict[str, int]:
    """Requests that failed, by error code, most frequent first. Scans the failures."""
    query = (
        select(outcome.c.error_code, func.count())
        .where(outcome.c.batch_no == batch_no, outcome.c.status == "failed")
        .group_by(outcome.c.error_code)
        .order_by(func.count().desc(), outcome.c.error_code)
    )
    return {code or "unknown": number for code, number in connection.execute(query)}


def _calls(row: Sequence[Any] | None) -> tuple[int, int, int, int, float | None]:
    if row is None:
        return 0, 0, 0, 0, None
    calls, failed, retries, cost, latency = row
    return calls, failed, retries, int(cost), None if latency is None else float(latency)
