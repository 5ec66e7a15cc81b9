"""What the store knows of one request: its line, its decision, its attempts and its end."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping, select

from tasks.store.tables import attempt, decision, input_error, outcome, request
from tasks.store.values import PROVIDER_ERROR


@dataclass(frozen=True, slots=True)
class RequestFacts:
    """A request; rows are as the store has them.

    Attributes:
        row: The request.
        original: The custom_id of the request whose answer it shares; None for one that is no duplicate.
        decision: The decision for it, or for its original.
        attempts: Its calls, or those of its original.
        outcome: Its end.
        answer: The reply that it got, as JSON; None without one.
        objection: What the provider objected to: `type`, `code` and `param`, as far as it named them.
    """

    row: RowMapping
    original: str | None
    decision: RowMapping | None
    attempts: Sequence[RowMapping]
    outcome: RowMapping | None
    answer: dict[str, Any] | None
    objection: dict[str, str]

    @property
    def predicted(self) -> dict[str, float]:
        """The predicted scores by model, the highest first."""
        scores = (
            json.loads(self.decision["predicted"]) if self.decision and self.decision["predicted"] else {}
        )
        return dict(sorted(scores.items(), key=lambda one: -one[1]))

    @property
    def ranking(self) -> list[str]:
        """The models in the order in which they are tried."""
        return list(json.loads(self.decision["ranking"])) if self.decision else []

    @property
    def left_out(self) -> dict[str, Any]:
        """The models that cannot answer it, with the reasons."""
        return json.loads(self.row["left_out"]) if self.row["left_out"] else {}


def find(connection: Connection, batch_no: int, custom_id: str) -> RequestFacts | None:
    """Return the request of a batch with this custom_id; None if there is none."""
    mine = (request.c.batch_no == batch_no) & (request.c.custom_id == custom_id)
    row = connection.execute(select(request).where(mine)).mappings().one_or_none()
    if row is None:
        return None
    called = row["duplicate_of"] or row["id"]
    end = _one(connection, outcome, outcome.c.request_id == row["id"])
    answered = end if called == row["id"] else _one(connection, outcome, outcome.c.request_id == called)
    calls = select(attempt).where(attempt.c.request_id == called).order_by(attempt.c.number)
    original = _one(connection, request, request.c.id == called) if called != row["id"] else None
    return RequestFacts(
        row,
        original["custom_id"] if original else None,
        _one(connection, decision, decision.c.request_id == called),
        list(connection.execute(calls).mappings()),
        end,
        json.loads(answered["body"]) if answered and answered["body"] else None,
        ((answered["notes"] if answered else None) or {}).get(PROVIDER_ERROR, {}),
    )


def bad_line(connection: Connection, batch_no: int, custom_id: str) -> RowMapping | None:
    """Return the first bad line of a batch with this custom_id; it reads the batch's bad lines."""
    mine = (input_error.c.batch_no == batch_no) & (input_error.c.custom_id == custom_id)
    query = select(input_error).where(mine).order_by(input_error.c.line).limit(1)
    return connection.execute(query).mappings().one_or_none()


def custom_ids(connection: Connection, ids: Collection[int]) -> dict[int, str]:
    """Return the custom_ids of requests by their ids."""
    query = select(request.c.id, request.c.custom_id).where(request.c.id.in_(ids))
    return dict(connection.execute(query).all())


def _one(connection: Connection, table: Any, condition: Any) -> RowMapping | None:
    return connection.execute(select(table).where(condition)).mappings().one_or_none()
