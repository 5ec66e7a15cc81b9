"""Outcomes: the one final result of each request, and of the duplicates that share it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, Table, bindparam, literal, select, update
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite

from tasks.store import batches
from tasks.store.api import ended
from tasks.store.bulk import batched_ids, insert_values
from tasks.store.ids import LINE_BITS
from tasks.store.tables import decision, outcome, request
from tasks.store.values import HeldChunk, RequestResult, Settlement

_COLUMNS = ("status", "model", "body", "status_code", "error_code", "error_message", "latency_ms")
_columns_of = attrgetter(*_COLUMNS)


def finish(connection: Connection, batch_no: int, settlements: Sequence[Settlement]) -> None:
    """Insert the outcomes of requests that have their final result, once per request, and count them.

    Duplicates end with their original: each gets an outcome of its own, which costs nothing and shares the
    answer.
    """
    fresh = _insert(connection, batch_no, settlements)
    by_status: dict[str, list[int]] = {}
    for request_id, result in fresh.items():
        by_status.setdefault(result.status, []).append(request_id)
    counted: Counter[str] = Counter()
    for status, ids in by_status.items():
        _close(connection, status, ids)
        counted[status] += len(ids) + finish_duplicates(connection, ids, status)
    counted["budget_stops"] = sum(result.error_code == "budget_exceeded" for result in fresh.values())
    batches.count(connection, batch_no, **counted)


def finish_routed(connection: Connection, held: HeldChunk) -> None:
    """End a closed chunk's requests with the models that their decisions name, as `finish` does.

    The statements name only the chunk: to bind the ids of hundreds of requests would cost more than the rest.
    """
    mine = (request.c.chunk_id == held.id, request.c.state == "held")
    columns = {
        "request_id": request.c.id,
        "batch_no": request.c.batch_no,
        "status": literal("succeeded"),
        "model": decision.c.model,
        "cost": literal(0),
        "attempts": request.c.attempts,
    }
    ends = select(*columns.values()).join(decision, decision.c.request_id == request.c.id).where(*mine)
    insertion = insert_ignoring(connection, outcome).from_select([*columns], ends)
    fresh = connection.execute(insertion.execution_options(preserve_rowcount=True)).rowcount
    original = request.alias()
    followers = (
        select(request.c.id)
        .join(original, original.c.id == request.c.duplicate_of)
        .where(original.c.chunk_id == held.id, original.c.state == "held", request.c.state == "following")
    )
    following = list(connection.execute(followers).scalars())
    connection.execute(update(request).where(*mine).values(state="succeeded", chunk_id=None))
    copy_to_duplicates(connection, following, "succeeded")
    batches.count(connection, held.batch_no, succeeded=fresh + len(following))


def insert_ignoring(connection: Connection, table: Table) -> Any:
    """Return an INSERT of the connection's dialect that leaves existing rows alone."""
    insert = insert_sqlite if connection.dialect.name == "sqlite" else insert_postgresql
    return insert(table).on_conflict_do_nothing()


_WITHOUT_OUTCOME = (
    select(request.c.id, request.c.attempts)
    .outerjoin(outcome, outcome.c.request_id == request.c.id)
    .where(request.c.id.in_(bindparam("ids", expanding=True)), outcome.c.request_id.is_(None))
)
_FOLLOWING = select(request.c.id).where(
    request.c.duplicate_of.in_(bindparam("originals", expanding=True)), request.c.state == "following"
)


def _insert(
    connection: Connection, batch_no: int, settlements: Sequence[Settlement]
) -> dict[int, RequestResult]:
    """Insert outcomes; returns the results of the requests that had none before, by their ids."""
    final = {s.request_id: (s.next, s.cost) for s in settlements if isinstance(s.next, RequestResult)}
    if not final:
        return {}
    attempts = dict(connection.execute(_WITHOUT_OUTCOME, {"ids": list(final)}).all())
    fresh = {request_id: final[request_id] for request_id in final if request_id in attempts}
    rows = [
        (i, batch_no, cost, attempts[i], _json(result.notes), *_columns_of(result))
        for i, (result, cost) in fresh.items()
    ]
    names = ("request_id", "batch_no", "cost", "attempts", "notes", *_COLUMNS)
    insert_values(connection, outcome, names, rows, ignoring=True)
    ended.record(connection, batch_no, list(fresh))
    return {request_id: result for request_id, (result, _) in fresh.items()}


def _json(notes: dict[str, Any] | None) -> str | None:
    return json.dumps(notes) if notes else None


def _close(connection: Connection, status: str, ids: Sequence[int]) -> None:
    for part in batched_ids(ids):
        connection.execute(update(request).where(request.c.id.in_(part)).values(state=status, chunk_id=None))


def finish_duplicates(connection: Connection, originals: Sequence[int], status: str) -> int:
    """Insert the outcomes of the waiting duplicates of these ended requests; returns how many."""
    followers = list(connection.execute(_FOLLOWING, {"originals": originals}).scalars())
    copy_to_duplicates(connection, followers, status)
    return len(followers)


def copy_to_duplicates(connection: Connection, followers: Sequence[int], status: str) -> None:
    """Insert copies of the originals' outcomes for these duplicates, and end the duplicates."""
    if not followers:
        return
    copied = [
        outcome.c[name]
        for name in (
            "batch_no",
            "status",
            "model",
            "status_code",
            "error_code",
            "error_message",
            "latency_ms",
        )
    ]
    query = (
        select(request.c.id, *copied, literal(0), literal(0), request.c.duplicate_of)
        .join(outcome, outcome.c.request_id == request.c.duplicate_of)
        .where(request.c.id.in_(bindparam("ids", expanding=True)))
    )
    names = ["request_id", *(column.name for column in copied), "cost", "attempts", "duplicate_of"]
    for part in batched_ids(followers):
        statement = insert_ignoring(connection, outcome).from_select(names, query)
        connection.execute(statement, {"ids": part})
    _close(connection, status, followers)
    # Duplicates are of the batch of their original.
    ended.record(connection, followers[0] >> LINE_BITS, followers)
