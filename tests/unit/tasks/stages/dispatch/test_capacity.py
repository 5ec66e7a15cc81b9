"""The capacity that calls in flight share."""

import asyncio
import functools
from collections.abc import Callable, Coroutine
from typing import Any

from tasks.stages.dispatch.capacity import Capacity


def on_a_loop(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    @functools.wraps(test)
    def run() -> None:
        asyncio.run(test())

    return run


@on_a_loop
async def test_takes_no_more_than_is_free() -> None:
    capacity = Capacity(3)
    assert await capacity.take(2) == 2
    assert await capacity.take(5) == 1


@on_a_loop
async def test_waits_until_a_unit_is_given_back() -> None:
    capacity = Capacity(1)
    await capacity.take(1)
    waiting = asyncio.create_task(capacity.take(1))
    await asyncio.sleep(0)
    assert not waiting.done()
    capacity.give()
    assert await asyncio.wait_for(waiting, 200) == 1


@on_a_loop
async def test_never_hands_out_more_than_it_has() -> None:
    capacity = Capacity(5)
    held = peak = 0

    async def use() -> None:
        nonlocal held, peak
        taken = await capacity.take(2)
        held += taken
        peak = max(peak, held)
        await asyncio.sleep(0)
        held -= taken
        capacity.give(taken)

    await asyncio.gather(*(use() for _ in range(50)))
    assert held == 0
    assert 0 < peak <= 5


@on_a_loop
async def test_what_is_free_can_be_taken_without_waiting() -> None:
    capacity = Capacity(3)
    assert await capacity.take(1) == 1
    assert capacity.take_free(5) == 2
    assert capacity.take_free(5) == 0
    capacity.give()
    capacity.close()
    assert capacity.take_free(5) == 0
