"""Models that are no longer configured: requests that wait for them go to the next model of their ranking."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import Connection, RowMapping, func, select, update

from tasks.store import batches, chunk_requests, chunks, decisions
from tasks.store.engine import Store
from tasks.store.sweep_locks import one_by_one
from tasks.store.tables import chunk, request


def reroute(store: Store, models: Collection[str], *, limit: int = 200) -> int:
    """Move requests that wait for an unconfigured model to the best configured one of their ranking.

    A request that named its model keeps waiting, because no other model may answer it. Calls in flight are
    not touched.

    Args:
        store: The store.
        models: The configured models.
        limit: The most chunks to look at.

    Returns:
        The number of requests moved.
    """
    queues = [f"{chunks.DISPATCH}.{model}" for model in models]
    lost = (chunk.c.state == "queued") & (chunk.c.stage == chunks.DISPATCH) & chunk.c.queue.not_in(queues)
    with store.read() as connection:
        # In any order: those that named their model may not move, and must not stand before others for ever.
        some = select(chunk.c.id, chunk.c.batch_no).where(lost).order_by(func.random()).limit(limit)
        found = connection.execute(some).all()
    moved: list[int] = []

    def move(connection: Connection, row: RowMapping, chunk_id: int) -> None:
        still = select(chunk.c.id).where(chunk.c.id == chunk_id, lost).with_for_update()
        if connection.execute(still).first() is not None:
            moved.append(_move(connection, row["no"], chunk_id, models))

    one_by_one(store, [(one.batch_no, one.id) for one in found], move)
    return sum(moved)


def waiting(connection: Connection, models: Collection[str]) -> dict[str, int]:
    """Return how many requests wait for each model that is not among these."""
    queues = [f"{chunks.DISPATCH}.{model}" for model in models]
    query = select(chunk.c.queue, chunk.c.size).where(
        chunk.c.state == "queued", chunk.c.stage == chunks.DISPATCH, chunk.c.queue.not_in(queues)
    )
    found: dict[str, int] = {}
    for queue, size in connection.execute(query):
        model = queue.removeprefix(f"{chunks.DISPATCH}.")
        found[model] = found.get(model, 0) + size
    return found


def _move(connection: Connection, batch_no: int, chunk_id: int, models: Collection[str]) -> int:
    held = [one.id for one in chunk_requests.requests_of(connection, chunk_id)]
    others = _others(decisions.rankings(connection, held), models)
    if others:
        size = batches.options_of(connection, batch_no).group_size
        chunks.move_to_new_chunks(connection, batch_no, decisions.dispatch_groups(list(others.items()), size))
        ids = request.c.id.in_(list(others))
        connection.execute(update(request).where(ids).values(model_attempts=0))
    chunks.close_empty(connection, [chunk_id])
    return len(others)


def _others(rankings: Mapping[int, Sequence[str]], models: Collection[str]) -> dict[int, str]:
    """Return the first configured model of each request's ranking, where there is one."""
    best = {i: next((name for name in ranking if name in models), None) for i, ranking in rankings.items()}
    return {request_id: name for request_id, name in best.items() if name is not None}
