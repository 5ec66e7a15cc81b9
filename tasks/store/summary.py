"""The summary of a batch. Its queries scan the batch, so they are meant for the end of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Integer, cast, func, select

from tasks.providers.errors import ErrorKind
from tasks.store.tables import attempt, decision, outcome


@dataclass(frozen=True, slots=True)
class ModelSummary:
    """A model's share of a batch.

    `requests` are those that it answered, duplicates included. `cost` is in micro-dollars. `not_made`
    are those that were not sent, as the worker lacked the model's key: no calls, and no failed ones.
    """

    model: str
    requests: int
    calls: int
    failed_calls: int
    retries: int
    cost: int
    mean_latency_ms: float | None
    not_made: int = 0


@dataclass(frozen=True, slots=True)
class CategorySummary:
    """The requests of a category, by model; the category is None for requests that were not routed."""

    category: str | None
    requests: int
    fallbacks: int
    models: dict[str, int]


def by_model(connection: Connection, batch_no: int) -> list[ModelSummary]:
    """Return each model's share of the batch, by name."""
    ended = (
        select(outcome.c.model, func.count())
        .where(outcome.c.batch_no == batch_no, outcome.c.status == "succeeded")
        .group_by(outcome.c.model)
    )
    answered: dict[str, int] = dict(connection.execute(ended).all())
    is_call = was_made()
    failed = is_call & attempt.c.state.in_(("failed", "unknown"))
    query = (
        select(
            attempt.c.model,
            func.count().filter(is_call),
            func.count().filter(failed),
            func.count().filter(is_call & (attempt.c.number > 1)),
            func.sum(attempt.c.cost),
            func.avg(attempt.c.latency_ms).filter(attempt.c.state == "succeeded"),
            func.count().filter(~is_call),
        )
        .where(attempt.c.batch_no == batch_no)
        .group_by(attempt.c.model)
    )
    calls = {row[0]: row[1:] for row in connection.execute(query)}
    return [
        ModelSummary(model, answered.get(model, 0), *_calls(calls.get(model)))
        for model in sorted({*answered, *calls})
    ]


def was_made() -> ColumnElement[bool]:
    """Return the condition that an attempt was a call: without its key, a model is not called."""
    return attempt.c.error_code.is_distinct_from(ErrorKind.MISSING_KEY.value)


def by_category(connection: Connection, batch_no: int) -> list[CategorySummary]:
    """Return the decisions by category, the largest category first; duplicates are not counted."""
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
    for category, model, number, used_fallback in connection.execute(query):
        models.setdefault(category, {})[model] = number
        fallbacks[category] = fallbacks.get(category, 0) + int(used_fallback)
    rows = [CategorySummary(c, sum(counts.values()), fallbacks[c], counts) for c, counts in models.items()]
    return sorted(rows, key=lambda row: (-row.requests, row.category or ""))


def failures(connection: Connection, batch_no: int) -> dict[str, int]:
    """Return the number of failed requests by error code, the most frequent first."""
    return {code: number for code, (number, _) in failures_with_examples(connection, batch_no).items()}


def failures_with_examples(connection: Connection, batch_no: int) -> dict[str, tuple[int, int]]:
    """Return by error code the number of failed requests and the id of one, the most frequent code first."""
    query = (
        select(outcome.c.error_code, func.count(), func.min(outcome.c.request_id))
        .where(outcome.c.batch_no == batch_no, outcome.c.status == "failed")
        .group_by(outcome.c.error_code)
        .order_by(func.count().desc(), outcome.c.error_code)
    )
    return {code or "unknown": (number, first) for code, number, first in connection.execute(query)}


def _calls(row: Sequence[Any] | None) -> tuple[int, int, int, int, float | None, int]:
    if row is None:
        return 0, 0, 0, 0, None, 0
    calls, failed, retries, cost, latency, not_made = row
    return calls, failed, retries, int(cost), None if latency is None else float(latency), not_made
