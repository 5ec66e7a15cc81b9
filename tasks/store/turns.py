"""What waits in a queue, by batch: from it, workers choose what they claim (`tasks.stages.fair_claims`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, bindparam, select

from tasks.store import batches, chunks
from tasks.store.priorities import weight_of
from tasks.store.tables import batch, chunk


@dataclass(frozen=True, slots=True)
class Waiting:
    """The batches with chunks in the queue of an announced chunk.

    Attributes:
        queue: The queue.
        own: The batch of the announced chunk, if that waits.
        weights: The weights of the batches, by their numbers; the batches of one key share that of one.
    """

    queue: str = ""
    own: int | None = None
    weights: dict[int, float] = field(default_factory=dict)


_ANNOUNCED = select(chunk.c.queue, chunk.c.batch_no, chunk.c.stage, chunk.c.state, chunk.c.epoch).where(
    chunk.c.id == bindparam("chunk_id")
)
_QUEUED = select(chunk.c.id).where(
    chunk.c.queue == bindparam("queue"), chunk.c.state == "queued", chunk.c.batch_no == batch.c.no
)
_BATCHES = select(batch.c.no, batch.c.priority, batch.c.owner).where(
    batch.c.status.in_(batches.UNFINISHED), batch.c.paused_at.is_(None), _QUEUED.exists()
)


def waiting(connection: Connection, chunk_id: int, epoch: int, *, stage: str) -> Waiting:
    """Return which batches wait in the queue of this chunk; those that are paused do not."""
    row = connection.execute(_ANNOUNCED, {"chunk_id": chunk_id}).one_or_none()
    if row is None:
        return Waiting()
    # Claimed at another message, it may be in the next stage by now: then this message is for another chunk.
    queue = row.queue if stage == chunks.DISPATCH else stage
    weights = _weights(connection.execute(_BATCHES, {"queue": queue}).all())
    waits = (row.stage, row.state, row.epoch) == (stage, "queued", epoch) and row.batch_no in weights
    return Waiting(queue, row.batch_no if waits else None, weights)


def first(connection: Connection, queue: str, batch_no: int, *, limit: int) -> list[tuple[int, int]]:
    """Return (id, epoch) of the oldest chunks of a batch that wait in a queue."""
    query = select(chunk.c.id, chunk.c.epoch).where(
        chunk.c.queue == queue, chunk.c.state == "queued", chunk.c.batch_no == batch_no
    )
    return list(connection.execute(query.order_by(chunk.c.id).limit(limit)))


def _weights(found: Sequence[tuple[int, str, str | None]]) -> dict[int, float]:
    owned = Counter(owner for _, _, owner in found)
    return {no: weight_of(priority) / (1 if owner is None else owned[owner]) for no, priority, owner in found}
