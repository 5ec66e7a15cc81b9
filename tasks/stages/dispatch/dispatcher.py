"""One event loop that holds dispatch groups, feeds the queues of their models and keeps their leases."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from tasks.limits.interface import Limiter
from tasks.providers.interface import Provider
from tasks.settings import Settings
from tasks.stages.dispatch import call
from tasks.stages.dispatch.caller import DOWN_S, Caller
from tasks.stages.dispatch.capacity import Capacity
from tasks.stages.dispatch.delta_folder import DeltaFolder
from tasks.stages.dispatch.error_log import ErrorLog
from tasks.stages.dispatch.held_groups import HeldGroup, HeldGroups
from tasks.stages.dispatch.model_health import ModelHealth
from tasks.stages.dispatch.model_queue import ModelQueue
from tasks.stages.dispatch.repository import DispatchRepository
from tasks.stages.dispatch.services import DispatchServices
from tasks.stages.dispatch.settlement_writer import SettlementWriter
from tasks.stages.dispatch.slot_releaser import SlotReleaser
from tasks.store.engine import Store
from tasks.store.values import HeldRequest

logger = logging.getLogger(__name__)


class Dispatcher:
    """The dispatch stage on the event loop of one worker process; `DispatchProcess` hands it the groups."""

    def __init__(
        self,
        settings: Settings,
        *,
        store: Store,
        limiter: Limiter,
        provider: Provider,
        owner: str,
        on_end: Callable[[HeldGroup], None],
    ) -> None:
        self._settings = settings
        self._repository = DispatchRepository(store, owner)
        self.capacity = Capacity(settings.dispatch.in_flight)
        self.groups = HeldGroups(on_end)
        self._folder = DeltaFolder(self._repository)
        self._errors = ErrorLog(self._repository)
        self._writer = SettlementWriter(store, owner, self.groups.settled, self._folder.note)
        policy = call.policy_of(settings.dispatch)
        names = [model.name for model in settings.models]
        health = ModelHealth(limiter, self._repository, policy, models=names, lease_s=settings.upkeep.lease_s)
        self._health = health
        self._releaser = SlotReleaser(health, self.capacity)
        self._caller = Caller(
            provider,
            policy,
            health=health,
            repository=self._repository,
            writer=self._writer,
            releaser=self._releaser,
            trace_of=self.groups.trace,
            errors=self._errors,
        )
        self._services = DispatchServices(
            self.capacity, self.groups, health, self._repository, self._writer, self._caller
        )
        self._queues: dict[str, ModelQueue] = {}
        self._queue_loops: list[asyncio.Task[None]] = []
        self._loops: set[asyncio.Task[None]] = set()
        # Its own thread: a renewal must not queue behind slow transactions.
        self._heartbeat_thread = ThreadPoolExecutor(1, thread_name_prefix="heartbeat")

    def begin(self) -> None:
        """Start the background loops; call on the event loop."""
        self._keep(self._writer.run())
        self._keep(self._folder.run())
        self._keep(self._errors.run())
        self._keep(self._releaser.run())
        self._keep(self._heartbeat())
        self._keep(self._renew_slots())

    def queue(self, model: str) -> ModelQueue:
        """Return the model's queue; raises SettingsError when there is no such model."""
        if model not in self._queues:
            queue = self._queues[model] = ModelQueue(
                self._settings.model(model), self._services, give_up_s=self._settings.breaker.give_up_s
            )
            self._queue_loops.append(self._keep(queue.run()))
        return self._queues[model]

    def accept(self, group: HeldGroup, queue: ModelQueue, requests: Sequence[HeldRequest]) -> None:
        """Take over a claimed group."""
        self.groups.add(group)
        queue.add(requests)

    async def drain(self, timeout_s: float) -> None:
        """Hand back the requests that have not started, then wait for the calls in flight and settle them."""
        self.capacity.close()
        for queue in self._queues.values():
            queue.stop()
        if self._queue_loops:
            await asyncio.wait(self._queue_loops, timeout=timeout_s)
        await self._hand_back()
        await self._caller.finish(timeout_s)
        await asyncio.wait_for(asyncio.gather(self._writer.idle(), self._releaser.idle()), timeout_s)
        await self._folder.fold()
        await self._errors.write()
        await self._caller.aclose()

    async def _hand_back(self) -> None:
        chunk_ids = set(self.groups.chunk_ids)
        waiting = [request for queue in self._queues.values() for request in queue.drop(chunk_ids)]
        try:
            await asyncio.to_thread(self._repository.hand_back, waiting)
        except SQLAlchemyError as error:  # the sweeper takes them back; the calls in flight go on
            logger.warning("%d requests were not handed back: %s", len(waiting), type(error).__name__)

    async def _heartbeat(self) -> None:
        """Renew the leases of held groups for as long as the process lives."""
        lease_s = self._settings.upkeep.lease_s
        pause_s = lease_s / 3
        while True:
            await asyncio.sleep(pause_s)
            try:
                await self._extend(lease_s)
                pause_s = lease_s / 3
            except SQLAlchemyError as error:
                logger.warning("no heartbeat: %s", type(error).__name__)
                pause_s = min(DOWN_S, lease_s / 3)

    async def _renew_slots(self) -> None:
        """Renew the slots of the rate limit; in a loop of its own, so that Redis delays no heartbeat."""
        pause_s = renewal_s = self._settings.upkeep.lease_s / 3
        while True:
            await asyncio.sleep(pause_s)
            try:
                await self._health.renew()
                pause_s = renewal_s
            except (RedisError, OSError) as error:
                logger.warning("slots are not renewed: %s", type(error).__name__)
                pause_s = min(DOWN_S, renewal_s)

    async def _extend(self, lease_s: float) -> None:
        chunk_ids = self.groups.chunk_ids
        if not chunk_ids:
            return
        loop = asyncio.get_running_loop()
        kept = await loop.run_in_executor(self._heartbeat_thread, self._repository.extend, chunk_ids, lease_s)
        lost = set(chunk_ids) - kept
        for queue in self._queues.values():
            queue.drop(lost)
        self.groups.lease_lost(lost)

    def _keep(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(coroutine)
        task.add_done_callback(_end_process_on_defect)
        self._loops.add(task)
        return task


def _end_process_on_defect(task: asyncio.Task[None]) -> None:
    """End the process when a background loop dies: it would keep leases alive that nobody works on.

    Celery replaces the process, and the sweeper finds its work.
    """
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.critical("a dispatch loop died: %s", type(error).__name__)
        os._exit(os.EX_SOFTWARE)
