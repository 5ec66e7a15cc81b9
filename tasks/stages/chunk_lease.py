"""The lease on a chunk: renewed while a stage works; if the stage fails, the chunk is handed back."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from redis.exceptions import RedisError
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from tasks import failpoints, tracing
from tasks.errors import StaleWork, WaybillError
from tasks.log_context import about
from tasks.monitoring.calls import count_wait
from tasks.stages.context import WorkerContext
from tasks.store import chunks, sweep
from tasks.store.engine import Store
from tasks.store.renewal import renewed
from tasks.store.values import HeldChunk

logger = logging.getLogger(__name__)


#: errors that no request causes: they do not count as its losses
SERVICE_DOWN = (SQLAlchemyError, RedisError, OSError)
#: pause before a chunk is announced again after such an error
DOWN_S = 5.0


class StageFailed(WaybillError):
    """A stage that failed on a chunk; the message has the class of the error, never its text."""


@contextmanager
def claimed_chunk(
    context: WorkerContext, chunk_id: int, epoch: int, stage: str
) -> Iterator[HeldChunk | None]:
    """Claim this chunk for the block, or one of its queue whose batch's turn it is; yields None without one.

    Raises:
        StageFailed: The block failed, and the chunk was handed back. Its requests count one more loss, unless
            a service was down. The cause is not chained: texts of exceptions may quote prompts, and Celery
            sends them to Flower.
    """
    lease_s = context.settings.upkeep.lease_s
    held = context.claims.claim(chunk_id, epoch, stage=stage)
    if held is None:
        yield None
        return
    failpoints.reach("after_claim")
    count_wait(held)
    failure: Exception | None = None
    with (
        about(batch=held.batch_no, chunk=held.id, stage=stage),
        tracing.span(stage, parent=held.trace, batch=held.batch_no, chunk=held.id, requests=held.size),
        _heartbeat(context.store, held, context.owner, lease_s),
    ):
        try:
            yield held
        except StaleWork as stale:
            logger.info("%s", stale)
        except Exception as error:  # any error: the chunk must be handed back, and the text not be shown
            failure = error
    if failure is not None:
        name = type(failure).__name__
        if isinstance(failure, SERVICE_DOWN):
            sweep.hand_back_later(context.store, held, after_s=DOWN_S)
        else:
            sweep.hand_back(context.store, held, reason=f"the {stage} stage failed: {name}")
        # `from None`: otherwise the traceback would show the block's own exception with its text.
        raise StageFailed(f"{stage} of chunk {held.id}: {name}") from None


def _heartbeat(store: Store, held: HeldChunk, owner: str, lease_s: float) -> AbstractContextManager[None]:
    def extend(connection: Connection) -> None:
        chunks.extend(connection, [held.id], owner=owner, lease_s=lease_s)

    def warn(error: str) -> None:  # if the lease expires now, the epoch fences this worker's result
        logger.warning("no heartbeat for chunk %d: %s", held.id, error)

    return renewed(store, extend, lease_s, warn=warn)
