"""The dispatch stage of one worker process: Celery's tasks hand groups to an event loop in a thread."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Coroutine, Sequence
from functools import cache
from typing import Any, TypeVar

from celery import current_app
from celery.signals import worker_process_shutdown

from tasks import failpoints, tracing
from tasks.connections import redis_clients
from tasks.errors import StaleWork
from tasks.limits import RedisLimiter
from tasks.monitoring.calls import count_wait
from tasks.monitoring.writer import CounterWriter
from tasks.providers.composite_provider import CompositeProvider
from tasks.stages.chunk_lease import StageFailed
from tasks.stages.context import REDIS_TIMEOUT_S, WorkerContext, worker_context
from tasks.stages.dispatch.call import breaker_rules_of
from tasks.stages.dispatch.dispatcher import Dispatcher
from tasks.stages.dispatch.group_requests import requests_of, reuse_answers
from tasks.stages.dispatch.held_groups import HeldGroup
from tasks.stages.dispatch.model_queue import ModelQueue
from tasks.stages.dispatch.reports import GroupReports
from tasks.store import chunks, sweep
from tasks.store.values import HeldChunk, HeldRequest

T = TypeVar("T")

logger = logging.getLogger(__name__)

#: A group whose model has no room after WAIT_S is announced again POSTPONE_S later.
WAIT_S = 2.0
POLL_S = 0.02
POSTPONE_S = 10.0
#: How long a group that must run alone waits for the others here, and they for it.
ISOLATION_S = 30.0


class DispatchProcess:
    """A Dispatcher on an event loop in a thread of its own."""

    def __init__(self, context: WorkerContext) -> None:
        self._context = context
        self._reports = GroupReports(current_app._get_current_object())
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="dispatch", daemon=True).start()
        self._dispatcher: Dispatcher = asyncio.run_coroutine_threadsafe(self._create(), self._loop).result()

    def take(self, chunk_id: int, epoch: int, *, task_id: str, hostname: str) -> bool:
        """Claim a group and hand it to the loop; False when there was nothing to claim."""
        held = self._context.claims.claim(chunk_id, epoch, stage=chunks.DISPATCH)
        if held is None:
            return False
        failpoints.reach("after_claim")
        self._reports.watch(self._dispatcher.groups, hostname)
        try:
            return self._hand_over(held, task_id, hostname)
        except StaleWork:
            return False
        except Exception as error:  # nothing has been sent: the chunk goes back at no loss
            sweep.hand_back_later(self._context.store, held, after_s=POSTPONE_S)
            failure = type(error).__name__
        raise StageFailed(f"dispatch of chunk {held.id}: {failure}")

    def _hand_over(self, held: HeldChunk, task_id: str, hostname: str) -> bool:
        model = held.queue.removeprefix(f"{chunks.DISPATCH}.")
        # First: what earlier batches have answered does not wait for the model.
        reuse_answers(self._context.store, held, owner=self._context.owner)
        queue = self._on_loop(self._queue_with_room(model, held.batch_no))
        if queue is None:
            with self._context.store.write() as connection:
                chunks.postpone(connection, held, after_s=POSTPONE_S)
            return False
        count_wait(held)  # not before: a group that is postponed goes on waiting
        requests = requests_of(self._context.store, held)
        group = HeldGroup(held.id, task_id, hostname, {request.id for request in requests})
        group.trace = held.trace
        if any(request.losses >= sweep.SUSPECT_LOSSES for request in requests):
            return self._run_isolated(held, group, queue, requests)
        self._loop.call_soon_threadsafe(self._dispatcher.accept, group, queue, requests)
        return True

    def _run_isolated(
        self, held: HeldChunk, group: HeldGroup, queue: ModelQueue, requests: Sequence[HeldRequest]
    ) -> bool:
        """Run a group alone, because its request has outlived several workers and may kill this one, too.

        Celery hands this process no other group meanwhile. Returns False where the others here take too long.
        """
        if not self._idle():
            with self._context.store.write() as connection:
                chunks.postpone(connection, held, after_s=POSTPONE_S)
            return False
        self._loop.call_soon_threadsafe(self._dispatcher.accept, group, queue, requests)
        time.sleep(POLL_S)
        self._idle()
        return True

    def _idle(self) -> bool:
        """Wait until no group is here; returns False if that takes too long."""
        deadline = time.monotonic() + ISOLATION_S
        while len(self._dispatcher.groups) and time.monotonic() < deadline:
            time.sleep(POLL_S)
        return not len(self._dispatcher.groups)

    def drain(self) -> None:
        """Finish the calls in flight and hand back the other requests."""
        timeout_s = self._context.settings.dispatch.drain_s
        try:
            asyncio.run_coroutine_threadsafe(self._dispatcher.drain(timeout_s), self._loop).result(
                2 * timeout_s
            )
        except Exception as error:  # the sweeper takes back what is still held
            logger.warning("drain ended early: %s", type(error).__name__)
        CounterWriter(self._context.store, self._context.owner, chunks.DISPATCH).write()
        tracing.stop_tracing()

    async def _create(self) -> Dispatcher:
        settings = self._context.settings
        client = redis_clients.connect_async(settings.redis_url, timeout_s=REDIS_TIMEOUT_S)
        dispatcher = Dispatcher(
            settings,
            store=self._context.store,
            limiter=RedisLimiter(client, breaker_rules_of(settings)),
            provider=CompositeProvider(),
            owner=self._context.owner,
            on_end=self._reports.ended,
        )
        dispatcher.begin()
        return dispatcher

    async def _queue_with_room(self, model: str, batch_no: int) -> ModelQueue | None:
        """Return the model's queue once it has room for another group; None if that takes too long."""
        queue = self._dispatcher.queue(model)
        for _ in range(int(WAIT_S / POLL_S)):
            if queue.has_room(batch_no, self._context.settings.dispatch.in_flight):
                return queue
            # Paused, or far over its rate: other models' groups must not wait for it.
            if queue.wait_s > WAIT_S:
                break
            await asyncio.sleep(POLL_S)
        return None

    def _on_loop(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()


@cache
def dispatcher() -> DispatchProcess:
    """Return this process's dispatcher, started at the first group."""
    process = DispatchProcess(worker_context())
    worker_process_shutdown.connect(lambda **_: process.drain(), weak=False)
    return process
