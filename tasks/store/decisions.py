"""Decisions: what the router chose, written together with the dispatch chunks that follow from it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache

from sqlalchemy import Connection, select

from tasks.store import batches, chunks, outcomes
from tasks.store.bulk import insert_values
from tasks.store.tables import decision
from tasks.store.values import HeldChunk, RoutedRequest

_RANKING = RoutedRequest._fields.index("ranking")


def record(connection: Connection, held: HeldChunk, routed: Sequence[RoutedRequest]) -> None:
    """Store a routed chunk's decisions and open its dispatch chunks, or finish it if only routing was asked.

    Raises:
        StaleWork: The chunk was taken away in the meantime; nothing changed.
    """
    batches.lock(connection, held.batch_no)
    chunks.close(connection, held)
    insert(connection, held.batch_no, routed)
    batches.count(
        connection, held.batch_no, routed=len(routed), fallbacks=sum(r.used_fallback for r in routed)
    )
    if held.options.route_only:
        # Their chunk is closed: nothing but the outcomes is left to write.
        outcomes.finish_routed(connection, held)
        batches.finish_if_done(connection, held.batch_no)
    else:
        chunks.move_to_new_chunks(
            connection,
            held.batch_no,
            dispatch_groups([(r.request_id, r.model) for r in routed], held.options.group_size),
        )


def insert(connection: Connection, batch_no: int, routed: Sequence[RoutedRequest]) -> None:
    """Insert decisions; a request that has one keeps it."""
    rows = [_row(one, batch_no) for one in routed]
    insert_values(connection, decision, (*RoutedRequest._fields, "batch_no"), rows, ignoring=True)


def with_reason(connection: Connection, request_ids: Sequence[int], reason: str) -> set[int]:
    """Return those of the requests whose decisions have this reason."""
    mine = decision.c.request_id.in_(request_ids)
    return set(
        connection.execute(select(decision.c.request_id).where(mine, decision.c.reason == reason)).scalars()
    )


def dispatch_groups(choices: Sequence[tuple[int, str]], group_size: int) -> list[chunks.NewChunk]:
    """Cut (request id, model) pairs into small groups of one model each."""
    by_model: dict[str, list[int]] = {}
    for request_id, model in choices:
        by_model.setdefault(model, []).append(request_id)
    return [
        chunks.NewChunk(chunks.DISPATCH, ids[start : start + group_size], model)
        for model, ids in sorted(by_model.items())
        for start in range(0, len(ids), group_size)
    ]


def rankings(connection: Connection, request_ids: Sequence[int]) -> dict[int, tuple[str, ...]]:
    """Return the ranking of models, the best first, of each request that was routed."""
    query = select(decision.c.request_id, decision.c.ranking).where(decision.c.request_id.in_(request_ids))
    return {row.request_id: parse_ranking(row.ranking) for row in connection.execute(query)}


@lru_cache(maxsize=1024)
def parse_ranking(stored: str) -> tuple[str, ...]:
    """Return the ranking that a row holds; few different ones fill a chunk."""
    return tuple(json.loads(stored))


@lru_cache(maxsize=1024)
def _stored_ranking(ranking: tuple[str, ...]) -> str:
    return json.dumps(ranking)


def _row(routed: RoutedRequest, batch_no: int) -> tuple[object, ...]:
    return (*routed[:_RANKING], _stored_ranking(routed.ranking), *routed[_RANKING + 1 :], batch_no)
