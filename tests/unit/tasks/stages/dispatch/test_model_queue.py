"""A request that this process lost and holds again, in another chunk, while its queue waits for a service."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tasks.limits import Circuit
from tasks.limits.interface import Grant
from tasks.settings import ModelSettings
from tasks.stages.dispatch.call import settlement_without_call
from tasks.stages.dispatch.capacity import Capacity
from tasks.stages.dispatch.held_groups import HeldGroup, HeldGroups
from tasks.stages.dispatch.model_queue import ModelQueue
from tasks.stages.dispatch.money import Money
from tasks.stages.dispatch.services import DispatchServices
from tasks.store.ids import LINE_BITS
from tasks.store.values import (
    UNLIMITED,
    HeldRequest,
    Requeue,
    ReservationRequest,
    ReservationResult,
    Room,
    Settlement,
)

MODEL = ModelSettings(name="small", litellm="openai/small", input_price=1, output_price=1)
FIRST = HeldRequest(1, "one", '{"messages":[]}', 15, 1, 9, "small", 0, 0, chunk_id=1, batch_no=1)
AGAIN = FIRST._replace(chunk_id=9)
OPEN = Grant((), 0.0, Circuit.OPEN, 0, (True,))
CLOSED = Grant(("slot",), 0.0)
NOTHING = Grant((), 0.0)
OTHER_BATCH = (2 << LINE_BITS) + 1


class Services:
    """Services of which one takes so long that the queue gets the request in another chunk meanwhile."""

    def __init__(self, grant: Grant) -> None:
        self.groups = HeldGroups(lambda _: None)
        self.written: list[Settlement] = []
        self.capacity = Capacity(8)
        parts = {
            "capacity": self.capacity,
            "groups": self.groups,
            "health": self,
            "repository": self,
            "writer": SimpleNamespace(add=self.written.append),
            "caller": None,
        }
        self.queue = ModelQueue(MODEL, DispatchServices(**cast("Any", parts)), give_up_s=1)
        self._grant = grant
        self.left = UNLIMITED
        self.on_acquire: Callable[[], object] = lambda: None
        self._put_off = 0

    def hold(self, request: HeldRequest) -> None:
        self.groups.add(HeldGroup(request.chunk_id, "task", "host", {request.id}))
        self.queue.add([request])

    def room(self, _: int) -> Room:
        return self.left

    def put_off(self, _: int, calls: Sequence[ReservationRequest]) -> ReservationResult:
        self._put_off += 1
        if self._put_off > 1:
            self.queue.stop()
            raise RuntimeError("can't start new thread")
        return ReservationResult(waiting=frozenset(one.request_id for one in calls))

    async def acquire(self, *_: object, **__: object) -> Grant:
        self.on_acquire()
        if not self._grant.slot_ids:
            self.queue.stop()
        return self._grant

    async def fail_over(self, requests: Sequence[HeldRequest], _: str) -> list[Settlement]:
        if requests:
            self._lose_and_hold_again()
        return [settlement_without_call(one, Requeue(0.0, model="large")) for one in requests]

    def reserve(self, _: int, calls: Sequence[ReservationRequest]) -> ReservationResult:
        self._lose_and_hold_again()
        return ReservationResult(lost=frozenset(one.request_id for one in calls))

    async def release(self, *_: object, **__: object) -> None:
        pass

    def _lose_and_hold_again(self) -> None:
        self.groups.lease_lost({FIRST.chunk_id})
        self.hold(AGAIN)
        self.queue.stop()


def test_a_request_that_is_held_again_is_not_taken_for_the_one_that_failed_over() -> None:
    services = _run(Services(OPEN))
    assert [one.chunk_id for one in services.written] == [FIRST.chunk_id]
    assert services.queue.drop({AGAIN.chunk_id}) == [AGAIN]
    assert services.groups.chunk_ids == [AGAIN.chunk_id]


def test_a_request_that_is_held_again_is_not_taken_for_the_one_whose_reservation_was_lost() -> None:
    services = _run(Services(CLOSED))
    assert services.queue.drop({AGAIN.chunk_id}) == [AGAIN]
    assert services.groups.chunk_ids == [AGAIN.chunk_id]
    assert services.capacity.take_free(9) == 8


def test_a_request_whose_lease_is_lost_while_it_waits_for_permits_is_not_queued_again() -> None:
    services = Services(NOTHING)
    services.on_acquire = lambda: services.groups.lease_lost({FIRST.chunk_id})
    _run(services)
    assert len(services.queue) == 0
    assert services.capacity.take_free(9) == 8


@pytest.mark.parametrize("circuit", [Circuit.OPEN, Circuit.ABANDONED])
def test_a_request_whose_money_may_be_reserved_goes_to_no_other_model(circuit: Circuit) -> None:
    services = Services(replace(OPEN, circuit=circuit))
    services.queue._money.in_doubt.add(FIRST.id)
    _run(services)
    assert services.queue.drop({FIRST.chunk_id}) == [FIRST]
    assert services.written == []


def test_units_come_back_once_where_what_waits_for_money_cannot_be_stored() -> None:
    services = Services(OPEN)
    services.left = Room(0, UNLIMITED.at_best)
    services.queue._circuit = Circuit.OPEN  # then one request of each batch is taken
    services.hold(FIRST._replace(id=OTHER_BATCH, batch_no=2, chunk_id=2))
    _run(services)
    assert services.capacity.take_free(9) == 8


def test_a_request_that_is_held_again_is_not_judged_twice() -> None:
    money = Money(cast("Any", SimpleNamespace(room=lambda _: Room(0, UNLIMITED.at_best))), MODEL)
    result, calls = asyncio.run(money.judge([FIRST], lambda: [AGAIN, AGAIN._replace(id=2)]))
    assert [one.claim for one in calls] == [(1, FIRST.chunk_id), (2, AGAIN.chunk_id)]
    assert result.waiting == {1, 2}


def _run(services: Services) -> Services:
    async def run() -> None:
        services.hold(FIRST)
        await services.queue.run()

    asyncio.run(asyncio.wait_for(run(), 60))
    return services
