"""One model's waiting requests in this process, and the loop that starts them as limits and money allow."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby
from operator import attrgetter

from tasks import failpoints
from tasks.connections.services import service_of
from tasks.limits.interface import Circuit, Grant
from tasks.settings import ModelSettings
from tasks.stages.dispatch import call, defects, fault
from tasks.stages.dispatch.money import Calls, Money
from tasks.stages.dispatch.request_queue import RequestQueue
from tasks.stages.dispatch.services import DispatchServices
from tasks.store.values import HeldRequest, RequestResult, ReservationRequest, ReservationResult
from tasks.store.waiting import over_budget

logger = logging.getLogger(__name__)

#: Calls started by one reservation, and how long the first waits for others while the process is busy.
MAX_TOGETHER = 64
GATHER_S = 0.01
#: How long to wait while a service is down.
DOWN_S = 1.0
#: The longest sleep of the loop, so that it notices soon that the worker stops.
MAX_SLEEP_S = 1.0


class ModelQueue:
    """The queue of one model and the loop that empties it."""

    def __init__(self, model: ModelSettings, services: DispatchServices, *, give_up_s: float) -> None:
        self.model = model
        self._services = services
        self._give_up_s = give_up_s
        self._waiting = RequestQueue()
        self._filled = asyncio.Event()
        self._stopped = False
        self._money = Money(services.repository, model)
        #: the wait in seconds that the rate limiter returned last, and the state of the circuit
        self.wait_s = 0.0
        self._circuit = Circuit.CLOSED

    def __len__(self) -> int:
        return len(self._waiting)

    def has_room(self, batch_no: int, limit: int) -> bool:
        """Return whether a group of the batch should be taken here, where `limit` requests may wait.

        A batch always has room for its fair part of them, whatever waits here of others. It may also probe
        the model while calls fail, where the requests that fill the queue are those that fail.
        """
        batches = len(self._waiting.batch_nos | {batch_no})
        return len(self) < limit or self._waiting.waiting(batch_no) < limit / batches

    def add(self, requests: Sequence[HeldRequest]) -> None:
        """Queue requests."""
        self._services.groups.forget(self._waiting.add(requests))
        self._filled.set()

    def drop(self, chunk_ids: set[int]) -> list[HeldRequest]:
        """Remove and return the waiting requests of these chunks."""
        return self._waiting.remove(lambda request: request.chunk_id in chunk_ids)

    def stop(self) -> None:
        """Let `run` end after the step under way: a step cut short could lose track of a reservation."""
        self._stopped = True
        self._filled.set()

    async def run(self) -> None:
        """Start calls until stopped."""
        while not self._stopped:
            if not self._waiting:
                self._filled.clear()
                await self._filled.wait()
            requests = self._take(await self._capacity())
            pause_s = await self._start(requests) if requests else 0.0
            await asyncio.sleep(min(pause_s, MAX_SLEEP_S))

    async def _capacity(self) -> int:
        """Take units for the next calls: calls end one by one, and those that follow them start together."""
        capacity, wanted = self._services.capacity, min(MAX_TOGETHER, len(self._waiting))
        units = await capacity.take(wanted)
        if 0 < units < wanted:
            await asyncio.sleep(GATHER_S)
            units += capacity.take_free(wanted - units)
        return units

    def _take(self, units: int) -> list[HeldRequest]:
        """Take up to `units` requests off the queue; units without a request go back.

        They are those of the batch whose turn it is. While calls fail, they are one of each batch, and the
        limiter chooses the probe among them.
        """
        is_probing = self._circuit is not Circuit.CLOSED
        requests = self._waiting.take_probes(units) if is_probing else self._waiting.take(units)
        self._services.capacity.give(units - len(requests))
        return requests

    def _put_back(self, requests: Sequence[HeldRequest]) -> None:
        """Put requests back at the front, but none whose lease was lost meanwhile, and free their units."""
        held = [request for request in requests if request.chunk_id in self._services.groups]
        self._services.groups.forget(self._waiting.put_back(held))
        self._services.capacity.give(len(requests))

    async def _start(self, requests: Sequence[HeldRequest]) -> float:
        """Start as many of the requests as may start now; returns the seconds to wait before the others."""
        try:
            requests, calls = await self._with_money(requests)
            if not requests:
                return 0.0
            tokens = [call.tokens_of(request, self.model) for request in requests]
            origins = [fault.origin_of(request) for request in requests]
            grant = await self._services.health.acquire(self.model, tokens, origins=origins)
        except Exception as error:  # of a service, or a defect: other models are called all the same
            return self._wait_for(error, requests)
        self.wait_s, self._circuit = grant.wait_s, grant.circuit
        last = grant.first + len(grant.slot_ids)
        self._put_back([*requests[: grant.first], *requests[last:]])
        self._waiting.serve(requests[grant.first : last])
        await self._leave(requests, grant)
        held_up_s = await self._reserve_each(requests[grant.first : last], grant.slot_ids, calls)
        return max(held_up_s, grant.wait_s)

    async def _with_money(self, requests: Sequence[HeldRequest]) -> tuple[list[HeldRequest], Calls]:
        """Return the requests that their budgets have room for, with their calls, and put the others aside.

        Raises:
            SQLAlchemyError: The store is down, and nothing was put aside.
        """
        judged = [
            await self._money.judge(list(of_batch), partial(self._waiting.of_batch, batch_no))
            for batch_no, of_batch in groupby(requests, key=attrgetter("batch_no"))
        ]
        for result, calls in judged:
            await self._put_aside(requests, result, calls)
        granted = frozenset[int]().union(*(result.granted for result, _ in judged))
        calls_of = {one.request_id: one for _, calls in judged for one in calls}
        return [request for request in requests if request.id in granted], calls_of

    async def _leave(self, requests: Sequence[HeldRequest], grant: Grant) -> None:
        """Send requests elsewhere, or end them, while the model fails; see `_fail_over`.

        A batch that has no part in the failures waits for its probe: it may be that only others fail.
        """
        pairs = zip(requests, grant.involved, strict=False)
        involved = {request.batch_no for request, is_involved in pairs if is_involved}

        def leaves(request: HeldRequest) -> bool:
            # Where money may be reserved, the next reservation tells; until then the store lets none go.
            return request.batch_no in involved and request.id not in self._money.in_doubt

        if grant.circuit.is_broken and involved:
            await self._fail_over([one for one in self._waiting if leaves(one)])
        if grant.circuit is Circuit.ABANDONED:
            self._end(self._waiting.remove(leaves), call.unreachable(self.model, self._give_up_s))

    async def _fail_over(self, requests: Sequence[HeldRequest]) -> None:
        """Send waiting requests to other models, as far as they may go there: this one cannot be reached."""
        settlements = await self._services.health.fail_over(requests, self.model.name)
        for settlement in settlements:
            self._services.writer.add(settlement)
        moved = {settlement.claim for settlement in settlements}
        self._waiting.remove(lambda request: request.claim in moved)

    async def _reserve_each(
        self, requests: Sequence[HeldRequest], slots: Sequence[str], calls: Calls
    ) -> float:
        """Reserve money for the calls of each batch; returns the seconds to wait before the others."""
        slot_ids, held_up_s = iter(slots), 0.0
        for _, of_batch in groupby(requests, key=lambda request: request.batch_no):
            together = list(of_batch)
            mine = [next(slot_ids) for _ in together]
            held_up_s = max(held_up_s, await self._reserve(together, mine, [calls[r.id] for r in together]))
        return held_up_s

    async def _reserve(
        self, requests: Sequence[HeldRequest], slots: Sequence[str], calls: Sequence[ReservationRequest]
    ) -> float:
        """Reserve money and start the calls that got it; returns the seconds to wait before the others."""
        services, batch_no = self._services, requests[0].batch_no
        try:
            result = await asyncio.to_thread(services.repository.reserve, batch_no, calls)
        except Exception as error:
            self._money.in_doubt.update(one.request_id for one in calls)
            await services.health.release(self.model.name, slots, healthy=None)
            return self._wait_for(error, requests)
        failpoints.reach("after_reserve")
        self._money.in_doubt.difference_update(one.request_id for one in calls)
        self._money.note(batch_no, result.room)
        started = [(r, s) for r, s in zip(requests, slots, strict=True) if r.id in result.granted]
        for request, slot in started:
            services.caller.start(request, self.model, slot)
        unused = sorted(set(slots) - {slot for _, slot in started})
        await services.health.release(self.model.name, unused, healthy=None)
        await self._put_aside(requests, replace(result, granted=frozenset()), calls)
        return 0.0

    async def _put_aside(
        self, taken: Sequence[HeldRequest], result: ReservationResult, calls: Sequence[ReservationRequest]
    ) -> None:
        """End what has no money, and let what may have some later wait in the store.

        Args:
            taken: The requests that were taken off the queue; others of the batch may still be in it.
            result: What became of the calls that are not to be made now.
            calls: The calls.
        """
        if not (result.waiting or result.refused or result.lost):
            return
        unpaid = result.waiting | result.refused
        # Under the batch's lock: what is known here may be from before somebody raised the budget.
        put_off = await self._money.put_off([one for one in calls if one.request_id in unpaid])
        refused = put_off.refused
        back = unpaid - put_off.waiting - refused - put_off.lost
        # Not by their ids: money that came back may have woken them, and this process may hold them again.
        gone_ids = refused | put_off.waiting | result.lost | put_off.lost
        gone = {one.claim for one in calls if one.request_id in gone_ids}
        of_taken = [one for one in taken if one.claim in gone]
        removed = [*self._waiting.remove(lambda one: one.claim in gone), *of_taken]
        self._services.capacity.give(len(of_taken))
        self._put_back([one for one in taken if one.id in back])
        self._end([one for one in removed if one.id in refused], over_budget(self.model.name))
        self._services.groups.forget(one for one in removed if one.id not in refused)

    def _end(self, requests: Sequence[HeldRequest], result: RequestResult) -> None:
        """End requests without a call."""
        for request in requests:
            self._services.writer.add(call.settlement_without_call(request, result))

    def _wait_for(self, error: Exception, requests: Sequence[HeldRequest]) -> float:
        """Put requests back for a while, until a service answers; a defect may be of some that wait here."""
        service = service_of(error)
        logger.warning("%s waits for %s: %s", self.model.name, service, type(error).__name__)
        self._put_back(requests)
        return 0.0 if service == "Waybill" and self._end_defective() else DOWN_S

    def _end_defective(self) -> bool:
        """End the waiting requests whose calls cannot be prepared; returns whether there were any."""
        found = defects.without_call(self._waiting, self.model)
        for settlement in found:
            self._services.writer.add(settlement)
        ended = {one.request_id for one in found}
        return bool(self._waiting.remove(lambda request: request.id in ended))
