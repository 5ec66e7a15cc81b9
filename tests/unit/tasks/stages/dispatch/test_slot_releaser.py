"""Slots of calls that ended: given back together, and before the capacity that asks for new ones."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from tasks.limits import Origin
from tasks.stages.dispatch.capacity import Capacity
from tasks.stages.dispatch.slot_releaser import ReleasedSlot, SlotReleaser


class _Log:
    """Stands for the way to Redis: notes what is given back, and the capacity that was free then."""

    def __init__(self, capacity: Capacity) -> None:
        self._capacity = capacity
        self.released: list[tuple[str, list[str], bool | None, int]] = []

    async def release(
        self, model: str, slots: Sequence[str], *, healthy: bool | None, origins: Sequence[Origin] = ()
    ) -> None:
        assert [one.request for one in origins] == list(slots)
        free = self._capacity.take_free(100)
        self._capacity.give(free)
        self.released.append((model, list(slots), healthy, free))


def test_slots_go_back_in_one_call_per_model_and_verdict_and_their_capacity_after_them() -> None:
    async def scenario() -> None:
        capacity = Capacity(0)
        log = _Log(capacity)
        releaser = SlotReleaser(log, capacity)
        for held in (
            ReleasedSlot("a", "1", True, Origin("1")),
            ReleasedSlot("b", "2", True, Origin("2")),
            ReleasedSlot("a", "3", True, Origin("3")),
            ReleasedSlot("a", "4", None, Origin("4")),
        ):
            releaser.add(held)
        loop = asyncio.create_task(releaser.run())
        await asyncio.wait_for(releaser.idle(), 200)
        assert log.released == [("a", ["1", "3"], True, 0), ("b", ["2"], True, 2), ("a", ["4"], None, 3)]
        assert capacity.take_free(100) == 4
        loop.cancel()

    asyncio.run(scenario())
