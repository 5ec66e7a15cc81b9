"""The release of the slots of ended calls to the shared limits, many in one Redis call."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from tasks.limits import Origin
from tasks.stages.dispatch.capacity import Capacity

#: How long the first slot waits for others.
GATHER_S = 0.005


class SlotOwner(Protocol):
    """The interface of what slots are given back to; see `ModelHealth.release`."""

    async def release(
        self, model: str, slots: Sequence[str], *, healthy: bool | None, origins: Sequence[Origin] = ()
    ) -> None:
        """Give slots back, with what their calls showed of the provider; never fails."""


class ReleasedSlot(NamedTuple):
    """The slot of a call that ended, what the call showed of its provider's health, and whose call it was."""

    model: str
    slot: str
    healthy: bool | None
    origin: Origin


class SlotReleaser:
    """A queue of ended calls, and the loop that gives back their slots and then their capacity."""

    def __init__(self, owner: SlotOwner, capacity: Capacity) -> None:
        self._owner = owner
        self._capacity = capacity
        self._queue: asyncio.Queue[ReleasedSlot] = asyncio.Queue()

    def add(self, released: ReleasedSlot) -> None:
        """Queue the slot of a call that ended."""
        self._queue.put_nowait(released)

    async def idle(self) -> None:
        """Wait until everything queued was given back, or is kept for later because Redis is down."""
        await self._queue.join()

    async def run(self) -> None:
        """Give slots back until cancelled."""
        while True:
            released = [await self._queue.get()]
            await asyncio.sleep(GATHER_S)
            while not self._queue.empty():
                released.append(self._queue.get_nowait())
            await self._release(released)

    async def _release(self, released: Sequence[ReleasedSlot]) -> None:
        alike: dict[tuple[str, bool | None], list[ReleasedSlot]] = defaultdict(list)
        for one in released:
            alike[one.model, one.healthy].append(one)
        # The slots first: a call that gets the capacity needs a slot at once, and would wait for these.
        for (model, healthy), together in alike.items():
            slots, origins = [one.slot for one in together], [one.origin for one in together]
            await self._owner.release(model, slots, healthy=healthy, origins=origins)
            self._capacity.give(len(together))
            for _ in together:
                self._queue.task_done()
