"""Whose turn it is to load a router: so many at once, and one of each key."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary


class LoadingTurns:
    """Turns for work that takes much memory; a key that asks twice waits for itself, and takes no other's."""

    def __init__(self, most: int = 2) -> None:
        """Allow so many at once."""
        self._slots = asyncio.Semaphore(most)
        self._keys: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def of(self, key_id: str) -> AsyncIterator[None]:
        """Wait for a turn of this key, and have it for the block."""
        mine = self._keys.setdefault(key_id, asyncio.Lock())
        async with mine, self._slots:
            yield
