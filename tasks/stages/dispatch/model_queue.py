"""A lane: one model's waiting requests in this process, started as permits and money allow."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from tasks import failpoints
from tasks.limits.interface import Circuit, Grant, Limits
from tasks.settings import ModelSettings
from tasks.stages.dispatch.call import over_budget, reservation_for, tokens_of, unreachable
from tasks.stages.dispatch.capacity import Capacity
from tasks.store.values import HeldRequest, RequestResult, ReservationRequest, ReservationResult


class RequestQueue:
    """A queue that holds each request once.

    A process whose lease ran out may hold a request again, in another chunk: then the entry of the chunk that
    it lost is stale, and a call for each would be one too many.
    """

    def __init__(self) -> None:
        self._requests: OrderedDict[int, HeldRequest] = OrderedDict()

    def __len__(self) -> int:
        return len(self._requests)

    def __iter__(self) -> Iterator[HeldRequest]:
        return iter(list(self._requests.values()))

    def add(self, requests: Sequence[HeldRequest]) -> list[HeldRequest]:
        """Queue requests at the end; returns the stale entries that they replace."""
        stale = [self._requests.pop(request.id) for request in requests if request.id in self._requests]
        self._requests.update((request.id, request) for request in requests)
        return stale

    def put_back(self, requests: Sequence[HeldRequest]) -> list[HeldRequest]:
        """Queue requests at the front again; returns those that have become stale."""
        stale = [request for request in requests if request.id in self._requests]
        for request in reversed(requests):
            if self._requests.setdefault(request.id, request) is request:
                self._requests.move_to_end(request.id, last=False)
        return stale

    @property
    def first(self) -> HeldRequest:
        """The request whose turn it is."""
        return next(iter(self._requests.values()))

    def pop(self) -> HeldRequest:
        """Take the first request off the queue."""
        return self._requests.popitem(last=False)[1]

    def remove(self, unwanted: Callable[[HeldRequest], bool]) -> list[HeldRequest]:
        """Take these requests off the queue, wherever they stand, and return them."""
        return [self._requests.pop(request.id) for request in self if unwanted(request)]


logger = logging.getLogger(__name__)

#: calls started by one reservation, and how long the first waits for others while the process is busy
START_TOGETHER = 64
GATHER_S = 0.01
#: a slot outlives its call by this much before others take its holder for dead
SLOT_MARGIN_S = 30.0
#: how long to wait while the budget is tied up in calls in flight, and while a service is down
WAIT_S = 0.25
DOWN_S = 1.0
#: the longest sleep of a lane, so that it notices soon when the worker stops
NAP_S = 1.0


class Host(Protocol):
    """What a lane needs of the process it runs in."""

    capacity: Capacity

    async def permits(self, model: str, limits: Limits, costs: Sequence[int], *, lease_s: float) -> Grant:
        """Ask the shared rate limit."""

    async def free_slots(self, model: str, slots: Sequence[str]) -> None:
        """Give permits' slots back; never fails."""

    async def reserve(self, batch_no: int, wants: Sequence[ReservationRequest]) -> ReservationResult:
        """Reserve money for these calls."""

    def start(self, request: HeldRequest, model: ModelSettings, slot: str) -> None:
        """Make the call; gives back the slot and one unit of capacity at its end."""

    async def divert(self, requests: Sequence[HeldRequest], model: ModelSettings) -> set[int]:
        """Send requests to other models, if they may use them; returns the ids of those that go."""

    def end(self, requests: Sequence[HeldRequest], unsent: RequestResult) -> None:
        """End requests without a call."""

    def dropped(self, requests: Sequence[HeldRequest]) -> None:
        """Requests this process no longer holds."""


class ModelQueue:
    """The queue of one model and the loop that empties it."""

    def __init__(self, model: ModelSettings, host: Host, *, give_up_s: float) -> None:
        self.model = model
        self._give_up_s = give_up_s
        self._host = host
        self._limits = Limits(rpm=model.rpm, tpm=model.tpm, max_concurrency=model.max_concurrency)
        self._waiting = RequestQueue()
        self._filled = asyncio.Event()
        self._stopped = False
        #: batches whose money was tied up when they last asked
        self._tight: set[int] = set()
        #: how long the rate limit said to wait when last asked
        self.wait_s = 0.0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, requests: Sequence[HeldRequest]) -> None:
        """Queue requests."""
        self._host.dropped(self._waiting.add(requests))
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
            await asyncio.sleep(min(pause_s, NAP_S))

    async def _capacity(self) -> int:
        """Units for the next calls: calls end one by one, and what follows them starts together."""
        capacity, wanted = self._host.capacity, min(START_TOGETHER, len(self._waiting))
        units = await capacity.take(wanted)
        if 0 < units < wanted:
            await asyncio.sleep(GATHER_S)
            units += capacity.take_free(wanted - units)
        return units

    def _take(self, units: int) -> list[HeldRequest]:
        """Take up to `units` requests of one batch off the queue; units without a request go back."""
        requests: list[HeldRequest] = []
        while self._waiting and len(requests) < units:
            batch_no = self._waiting.first.batch_no
            # A batch whose money is tied up only asks with one request: permits are not for asking.
            if requests and (batch_no != requests[0].batch_no or batch_no in self._tight):
                break
            requests.append(self._waiting.pop())
        self._host.capacity.give(units - len(requests))
        return requests

    def _put_back(self, requests: Sequence[HeldRequest]) -> None:
        self._host.dropped(self._waiting.put_back(requests))
        self._host.capacity.give(len(requests))

    async def _start(self, requests: Sequence[HeldRequest]) -> float:
        """Start as many of the requests as may start now; returns how long to wait before the next ones."""
        costs = [tokens_of(request, self.model) for request in requests]
        lease_s = self.model.timeout_s + SLOT_MARGIN_S
        try:
            grant = await self._host.permits(self.model.name, self._limits, costs, lease_s=lease_s)
        except (RedisError, OSError) as error:
            return self._wait_for(error, requests)
        self.wait_s = grant.wait_s
        permitted = requests[: len(grant.slot_ids)]
        self._put_back(requests[len(permitted) :])
        if grant.circuit.is_broken:
            await self._divert()
        if grant.circuit is Circuit.ABANDONED:
            self._give_up()
        held_up_s = await self._reserve(permitted, grant.slot_ids) if permitted else 0.0
        return max(held_up_s, grant.wait_s)

    async def _divert(self) -> None:
        """Nobody reaches the model now: let others answer what waits, as far as they may."""
        gone = await self._host.divert(list(self._waiting), self.model)
        self._waiting.remove(lambda request: request.id in gone)

    def _give_up(self) -> None:
        """Nobody has reached the model for so long that what still waits for it ends."""
        lost = self._waiting.remove(lambda _: True)
        self._host.end(lost, unreachable(self.model, self._give_up_s))

    async def _reserve(self, requests: Sequence[HeldRequest], slots: Sequence[str]) -> float:
        wants = [reservation_for(request, self.model) for request in requests]
        try:
            granted = await self._host.reserve(requests[0].batch_no, wants)
        except SQLAlchemyError as error:
            await self._host.free_slots(self.model.name, slots)
            return self._wait_for(error, requests)
        failpoints.reach("after_reserve")
        started = [(r, s) for r, s in zip(requests, slots, strict=True) if r.id in granted.granted]
        for request, slot in started:
            self._host.start(request, self.model, slot)
        await self._host.free_slots(self.model.name, sorted(set(slots) - {slot for _, slot in started}))
        self._without_money(requests, granted)
        return WAIT_S if granted.waiting else 0.0

    def _without_money(self, requests: Sequence[HeldRequest], granted: ReservationResult) -> None:
        waiting = [request for request in requests if request.id in granted.waiting]
        # To the end of the queue: other batches may have money.
        self._host.dropped(self._waiting.add(waiting))
        (self._tight.add if waiting else self._tight.discard)(requests[0].batch_no)
        refused = [request for request in requests if request.id in granted.refused]
        lost = [request for request in requests if request.id in granted.lost]
        self._host.capacity.give(len(waiting) + len(refused) + len(lost))
        self._host.end(refused, over_budget(self.model))
        self._host.dropped(lost)

    def _wait_for(self, error: Exception, requests: Sequence[HeldRequest]) -> float:
        logger.warning("%s waits: %s", self.model.name, type(error).__name__)
        self._put_back(requests)
        return DOWN_S
