"""The publisher: it sends outbox messages as Celery messages of two ids."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from celery import Celery

from tasks.app import queue_of
from tasks.connections.redis_clients import connect
from tasks.settings import Settings
from tasks.stages.task_names import MESSAGE_VERSION, VERSION_HEADER, task_name
from tasks.store.outbox import Message


class Publisher:
    """The connection to the broker: it sends messages, and counts those that wait there."""

    def __init__(self, app: Celery, settings: Settings) -> None:
        self._app = app
        self._redis = connect(settings.redis_url, timeout_s=10.0, connect_timeout_s=5.0)

    def publish(self, messages: Sequence[Message]) -> None:
        """Send the messages over one connection; their queues need not be in this process's settings."""
        with self._app.producer_pool.acquire(block=True, timeout=10) as producer:
            for message in messages:
                self._app.send_task(
                    task_name(message.stage),
                    args=(message.chunk_id, message.epoch),
                    queue=queue_of(message.queue),
                    producer=producer,
                    headers={VERSION_HEADER: MESSAGE_VERSION},
                    ignore_result=True,
                    retry=False,
                )

    def waiting(self, queues: Iterable[str]) -> dict[str, int]:
        """Return the number of messages that wait in each queue."""
        names = list(queues)
        pipeline = self._redis.pipeline(transaction=False)
        for name in names:
            pipeline.llen(name)
        return dict(zip(names, pipeline.execute(), strict=True))
