"""Capacity: how many calls this process may have in flight."""

from __future__ import annotations

import asyncio


class Capacity:
    """A counting semaphore that can hand out several units at once without waiting for the later ones."""

    def __init__(self, units: int) -> None:
        self._free = units
        self._closed = False
        self._freed = asyncio.Event()
        self._freed.set()

    async def take(self, wanted: int) -> int:
        """Wait until at least one unit is free, then take up to `wanted` of them; returns how many.

        Returns 0 once `close` was called.
        """
        while not self._free and not self._closed:
            self._freed.clear()
            await self._freed.wait()
        return self.take_free(wanted)

    def take_free(self, wanted: int) -> int:
        """Take up to `wanted` of the units that are free now; returns how many."""
        taken = 0 if self._closed else min(wanted, self._free)
        self._free -= taken
        return taken

    def close(self) -> None:
        """Hand out no more units."""
        self._closed = True
        self._freed.set()

    def give(self, units: int = 1) -> None:
        """Give units back."""
        self._free += units
        self._freed.set()
