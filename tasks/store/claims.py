"""The claim of a chunk by a worker: at most one gets it, for as long as its lease is renewed."""

from __future__ import annotations

from sqlalchemy import BigInteger, Connection, bindparam, select, update

from tasks.store.batch_options import BatchOptions
from tasks.store.engine import now_ms
from tasks.store.priorities import weight_of
from tasks.store.tables import batch, chunk
from tasks.store.values import HeldChunk

_CLAIM = (
    update(chunk)
    .where(
        chunk.c.id == bindparam("chunk_id"),
        chunk.c.epoch == bindparam("announced"),
        chunk.c.stage == bindparam("of_stage"),
        chunk.c.state == "queued",
    )
    .values(
        state="claimed",
        epoch=chunk.c.epoch + 1,
        owner=bindparam("worker"),
        lease_until=now_ms() + bindparam("lease_ms", type_=BigInteger),
    )
    .returning(
        *(chunk.c[name] for name in ("id", "epoch", "batch_no", "stage", "queue", "vector_epoch", "size")),
        chunk.c.opened_at,
        chunk.c.trace,
        (now_ms() - chunk.c.opened_at).label("waited_ms"),
    )
)
_OPTIONS = select(batch.c.options, batch.c.priority).where(batch.c.no == bindparam("batch_no"))


def claim(
    connection: Connection, chunk_id: int, epoch: int, *, stage: str, owner: str, lease_s: float
) -> HeldChunk | None:
    """Claim the chunk if it is still queued at this epoch and stage; None if another worker was first."""
    lease = {"worker": owner, "lease_ms": int(lease_s * 1000)}
    wanted = {"chunk_id": chunk_id, "announced": epoch, "of_stage": stage}
    row = connection.execute(_CLAIM, wanted | lease).one_or_none()
    if row is None:
        return None
    options, priority = connection.execute(_OPTIONS, {"batch_no": row.batch_no}).one()
    return HeldChunk(
        id=row.id,
        epoch=row.epoch,
        batch_no=row.batch_no,
        stage=row.stage,
        queue=row.queue,
        vector_epoch=row.vector_epoch,
        options=BatchOptions.from_row(options),
        size=row.size,
        weight=weight_of(priority),
        trace=row.trace,
        waited_s=max(row.waited_ms, 0) / 1000 if row.opened_at else None,
    )
