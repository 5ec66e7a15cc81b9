"""Slots of calls that ended go back to the shared limits together, one Redis call for many."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from tasks.stages.dispatch.capacity import Capacity

#: How long the first slot waits for others.
GATHER_S = 0.005


class SlotOwner(Protocol):
    """Takes slots back; see `ModelHealth.release`."""

    async def release(self, model: str, slots: Sequence[str], *, healthy: bool | None) -> None:
        """Give slots back, with what their calls showed of the provider; never fails."""


class ReleasedSlot(NamedTuple):
    """The slot of a call that ended, and what the call showed of its provider's health."""

    model: str
    slot: str
    healthy: bool | None


class SlotReleaser:
    """Gives back slots, and then the capacity of their calls."""

    def __init__(self, owner: SlotOwner, capacity: Capacity) -> None:
        self._owner = owner
        self._capacity = capacity
        self._queue: asyncio.Queue[ReleasedSlot] = asyncio.Queue()

    def add(self, released: ReleasedSlot) -> None:
        """Queue the slot of a call that ended."""
        self._queue.put_nowait(released)

    async def idle(self) -> None:
        """Wait until everything queued is given back, or owed."""
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
        slots: dict[tuple[str, bool | None], list[str]] = defaultdict(list)
        for one in released:
            slots[one.model, one.healthy].append(one.slot)
        # The slots first: whoever takes the capacity asks for a slot at once, and would wait for these.
        for (model, healthy), together in slots.items():
            await self._owner.release(model, together, healthy=healthy)
            self._capacity.give(len(together))
            for _ in together:
                self._queue.task_done()
