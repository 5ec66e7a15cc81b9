"""The dispatcher: one event loop that holds groups, starts their calls and settles them."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from tasks import failpoints
from tasks.limits.interface import Grant, Limiter, Limits
from tasks.providers.errors import ProviderError
from tasks.providers.interface import Provider
from tasks.settings import ModelSettings, Settings
from tasks.stages.dispatch import call
from tasks.stages.dispatch.capacity import Capacity
from tasks.stages.dispatch.held_groups import HeldGroup, HeldGroups
from tasks.stages.dispatch.model_health import ModelHealth
from tasks.stages.dispatch.model_queue import ModelQueue
from tasks.stages.dispatch.repository import CallHistory, DispatchRepository
from tasks.stages.dispatch.settlement_writer import RequestEnd, SettlementWriter
from tasks.stages.dispatch.slot_releaser import ReleasedSlot, SlotReleaser
from tasks.store.engine import Store
from tasks.store.values import HeldRequest, RequestResult, ReservationRequest, ReservationResult, Settlement

logger = logging.getLogger(__name__)


#: the pause while the store is down
DOWN_S = 1.0


class Dispatcher:
    """Lives on the event loop of one worker process; see `process` for the way in from Celery."""

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
        self._limiter = limiter
        self._provider = provider
        self._books = DispatchRepository(store, owner)
        self._policy = call.policy_of(settings.dispatch)
        names = [model.name for model in settings.models]
        self._troubles = ModelHealth(limiter, self._books, self._policy, models=names)
        self._lanes: dict[str, ModelQueue] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._lane_tasks: list[asyncio.Task[None]] = []
        # Its own thread: a renewal must not queue behind slow transactions.
        self._pulse = ThreadPoolExecutor(1, thread_name_prefix="heartbeat")
        self._calls: set[asyncio.Task[None]] = set()
        self.capacity = Capacity(settings.dispatch.in_flight)
        self.groups = HeldGroups(on_end)
        self._settler = SettlementWriter(store, owner, self._written)
        self._releaser = SlotReleaser(self._troubles, self.capacity)

    def begin(self) -> None:
        """Start the background loops; call on the event loop."""
        self._keep(self._settler.run())
        self._keep(self._releaser.run())
        self._keep(self._heartbeat())

    def lane(self, model: str) -> ModelQueue:
        """Return the model's lane; raises SettingsError when there is no such model."""
        if model not in self._lanes:
            lane = self._lanes[model] = ModelQueue(
                self._settings.model(model), self, give_up_s=self._settings.breaker.give_up_s
            )
            self._lane_tasks.append(self._keep(lane.run()))
        return self._lanes[model]

    def accept(self, group: HeldGroup, lane: ModelQueue, requests: Sequence[HeldRequest]) -> None:
        """Take over a claimed group."""
        self.groups.add(group)
        lane.add(requests)

    async def drain(self, timeout_s: float) -> None:
        """Hand back what has not started, wait for calls in flight, settle them."""
        self.capacity.close()
        for lane in self._lanes.values():
            lane.stop()
        if self._lane_tasks:
            await asyncio.wait(self._lane_tasks, timeout=timeout_s)
        await self._hand_back()
        if self._calls:
            await asyncio.wait(self._calls, timeout=timeout_s)
        await asyncio.wait_for(asyncio.gather(self._settler.idle(), self._releaser.idle()), timeout_s)
        await self._provider.aclose()

    async def _hand_back(self) -> None:
        chunk_ids = set(self.groups.chunk_ids)
        waiting = [request for lane in self._lanes.values() for request in lane.drop(chunk_ids)]
        try:
            await asyncio.to_thread(self._books.hand_back, waiting)
        except SQLAlchemyError as error:  # the sweeper takes them back; the calls in flight go on
            logger.warning("%d requests were not handed back: %s", len(waiting), type(error).__name__)

    # What a lane asks of its host

    async def permits(self, model: str, limits: Limits, costs: Sequence[int], *, lease_s: float) -> Grant:
        """Ask the shared rate limit."""
        await self._troubles.release_owed()
        return await self._limiter.acquire(model, limits, costs, lease_s=lease_s)

    async def free_slots(self, model: str, slots: Sequence[str]) -> None:
        """Give back the slots of calls that were not made."""
        await self._troubles.release(model, slots, healthy=None)

    async def reserve(self, batch_no: int, wants: Sequence[ReservationRequest]) -> ReservationResult:
        """Reserve money for these calls."""
        return await asyncio.to_thread(self._books.reserve, batch_no, wants)

    def start(self, request: HeldRequest, model: ModelSettings, slot: str) -> None:
        """Make the call; gives back the slot and one unit of capacity at its end."""
        task = asyncio.get_running_loop().create_task(self._call(request, model, slot))
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)

    def end(self, requests: Sequence[HeldRequest], unsent: RequestResult) -> None:
        """End requests without a call."""
        for request in requests:
            self._settler.add(RequestEnd(request.batch_no, request.chunk_id, request.id, unsent=unsent))

    async def divert(self, requests: Sequence[HeldRequest], model: ModelSettings) -> set[int]:
        """Send requests to other models, if they may use them; returns the ids of those that go."""
        ends = await self._troubles.divert(requests, model.name)
        for end in ends:
            self._settler.add(end)
        return {end.request_id for end in ends}

    def dropped(self, requests: Sequence[HeldRequest]) -> None:
        """Requests this process no longer holds."""
        for request in requests:
            self.groups.dropped(request.chunk_id, [request.id])

    # One call

    async def _call(self, request: HeldRequest, model: ModelSettings, slot: str) -> None:
        started = time.monotonic()
        healthy = None
        try:
            settlement, healthy = await self._settlement(request, model, started)
            self._settler.add(RequestEnd(request.batch_no, request.chunk_id, request.id, settlement))
        except Exception as error:  # a defect of ours: the lease runs out, and the attempt is charged
            logger.error("a call to %s could not be settled: %s", model.name, type(error).__name__)
        finally:
            self._releaser.add(ReleasedSlot(model.name, slot, healthy))

    async def _settlement(
        self, request: HeldRequest, model: ModelSettings, started: float
    ) -> tuple[Settlement, bool | None]:
        """Return the call's settlement, and what it says about the provider's health."""
        try:
            failpoints.reach("before_send")
            reply = await self._provider.complete(call.endpoint_of(model), call.body_of(request, model))
            failpoints.reach("after_response")
            settlement = call.settlement_of_reply(request, reply, model)
        except ProviderError as error:
            failure = await self._failure(request, model, error, time.monotonic() - started)
            return failure, call.health_signal(error, request, self._policy)
        except Exception as error:  # a defect of ours must not lose the request
            logger.error("a call to %s failed unexpectedly: %s", model.name, type(error).__name__)
            defect = call.internal_error(error)
            return await self._failure(request, model, defect, time.monotonic() - started), None
        if reply.usage_known:
            used = reply.prompt_tokens + reply.completion_tokens
            await self._correct_tokens(model, used - call.tokens_of(request, model))
        return settlement, True

    async def _failure(
        self, request: HeldRequest, model: ModelSettings, error: ProviderError, latency_s: float
    ) -> Settlement:
        await self._troubles.slow_down(model.name, error)
        past = await self._history(request)
        history = call.History(past, latency_s)
        return call.settlement_of_error(request, error, model=model, history=history, policy=self._policy)

    async def _history(self, request: HeldRequest) -> CallHistory:
        """Return the models the request was sent to, and the router's ranking, once the store answers."""
        while True:
            try:
                return (await asyncio.to_thread(self._books.histories, [request.id]))[request.id]
            except SQLAlchemyError as error:
                logger.warning("the history of a request waits: %s", type(error).__name__)
                await asyncio.sleep(DOWN_S)

    async def _correct_tokens(self, model: ModelSettings, delta: int) -> None:
        if model.tpm is None or delta == 0:
            return
        try:
            await self._limiter.settle_tokens(model.name, Limits(rpm=model.rpm, tpm=model.tpm), delta)
        except (RedisError, OSError) as error:
            logger.warning("tokens of %s were not corrected: %s", model.name, type(error).__name__)

    # Background loops

    async def _heartbeat(self) -> None:
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

    async def _extend(self, lease_s: float) -> None:
        chunk_ids = self.groups.chunk_ids
        if not chunk_ids:
            return
        loop = asyncio.get_running_loop()
        kept = await loop.run_in_executor(self._pulse, self._books.extend, chunk_ids, lease_s)
        gone = set(chunk_ids) - kept
        for lane in self._lanes.values():
            lane.drop(gone)
        self.groups.forget(gone)

    def _keep(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(coroutine)
        task.add_done_callback(_end_process_on_defect)
        self._tasks.add(task)
        return task

    def _written(self, end: RequestEnd) -> None:
        if end.settlement is not None:
            self.groups.settled(end.chunk_id, end.settlement)
        else:
            self.groups.dropped(end.chunk_id, [end.request_id])


def _end_process_on_defect(task: asyncio.Task[None]) -> None:
    """A background loop that dies would leave leases alive that nobody works on: end the process instead.

    Celery replaces it, and the sweeper finds its work.
    """
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.critical("a dispatch loop died: %s", type(error).__name__)
        os._exit(os.EX_SOFTWARE)
