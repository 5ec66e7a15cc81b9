"""The releaser: slots of calls that ended go back to the shared limits together, one Redis call for many."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from tasks.stages.dispatch.capacity import Capacity
from tasks.stages.dispatch.model_health import ModelHealth

#: how long the first slot waits for others
GATHER_S = 0.005


class ReleasedSlot(NamedTuple):
    """The slot of a call that ended, and what the call says of its provider's health."""

    model: str
    slot: str
    healthy: bool | None


class SlotReleaser:
    """Gives back slots, and then the capacity of their calls."""

    def __init__(self, troubles: ModelHealth, capacity: Capacity) -> None:
        self._troubles = troubles
        self._capacity = capacity
        self._ended: asyncio.Queue[ReleasedSlot] = asyncio.Queue()

    def add(self, held: ReleasedSlot) -> None:
        """Queue the slot of a call that ended."""
        self._ended.put_nowait(held)

    async def idle(self) -> None:
        """Wait until everything queued is given back, or owed."""
        await self._ended.join()

    async def run(self) -> None:
        """Give back until cancelled."""
        while True:
            ended = [await self._ended.get()]
            await asyncio.sleep(GATHER_S)
            while not self._ended.empty():
                ended.append(self._ended.get_nowait())
            await self._release(ended)

    async def _release(self, ended: Sequence[ReleasedSlot]) -> None:
        slots: dict[tuple[str, bool | None], list[str]] = defaultdict(list)
        for held in ended:
            slots[held.model, held.healthy].append(held.slot)
        # The slots first: whoever takes the capacity asks for a slot at once, and would wait for these.
        for (model, healthy), together in slots.items():
            await self._troubles.release(model, together, healthy=healthy)
            self._capacity.give(len(together))
            for _ in together:
                self._ended.task_done()
