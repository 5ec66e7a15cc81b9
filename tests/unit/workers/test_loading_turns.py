"""Turns to load a router."""

from __future__ import annotations

import asyncio
from collections import Counter

from workers.api.loading import LoadingTurns


def test_a_key_that_asks_twice_leaves_a_turn_to_the_others() -> None:
    asyncio.run(_two_keys())


async def _two_keys() -> None:
    turns, had = LoadingTurns(2), Counter[str]()
    done, other = asyncio.Event(), asyncio.Event()

    async def work(key: str) -> None:
        async with turns.of(key):
            had[key] += 1
            if key == "other":
                other.set()
            await done.wait()

    tasks = [asyncio.create_task(work(key)) for key in ("greedy", "greedy", "other")]
    await other.wait()
    assert had == {"greedy": 1, "other": 1}
    done.set()
    await asyncio.gather(*tasks)
    assert had == {"greedy": 2, "other": 1}
