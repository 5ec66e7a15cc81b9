"""What the store holds for each queue: its true backlog, beside the messages that Redis announces."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, and_, case, func, select

from tasks.store.engine import now_ms
from tasks.store.tables import batch, chunk


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """The backlog of a queue.

    Attributes:
        waiting: The chunks that no worker has claimed, without those of paused batches.
        requests: The requests in them.
        claimed: The chunks that workers hold.
        oldest_s: How long the oldest waiting chunk waits, in seconds; 0 where none does, or it is not known.
    """

    queue: str
    waiting: int = 0
    requests: int = 0
    claimed: int = 0
    oldest_s: float = 0.0


def depths(connection: Connection) -> list[QueueDepth]:
    """Return the backlog of each queue that has chunks; it reads only those that are not done."""
    paused = select(batch.c.no).where(batch.c.paused_at.is_not(None))
    is_waiting = and_(chunk.c.state == "queued", chunk.c.batch_no.not_in(paused))
    # A chunk that a worker of an earlier version opened has no time.
    opened_at = case((and_(is_waiting, chunk.c.opened_at > 0), chunk.c.opened_at))
    query = (
        select(
            chunk.c.queue,
            func.count().filter(is_waiting),
            func.coalesce(func.sum(case((is_waiting, chunk.c.size), else_=0)), 0),
            func.count().filter(chunk.c.state == "claimed"),
            func.coalesce(now_ms() - func.min(opened_at), 0),
        )
        .where(chunk.c.state.in_(("queued", "claimed")))
        .group_by(chunk.c.queue)
        .order_by(chunk.c.queue)
    )
    return [
        QueueDepth(queue, waiting, int(requests), claimed, max(int(age_ms), 0) / 1000)
        for queue, waiting, requests, claimed, age_ms in connection.execute(query)
    ]
