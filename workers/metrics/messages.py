"""How many messages announce chunks in Redis."""

from __future__ import annotations

from collections.abc import Sequence

from redis import Redis


def message_counts(client: Redis, queues: Sequence[str]) -> dict[str, int]:
    """Return how many messages wait in each queue."""
    pipeline = client.pipeline(transaction=False)
    for queue in queues:
        pipeline.llen(queue)
    return dict(zip(queues, pipeline.execute(), strict=True))
