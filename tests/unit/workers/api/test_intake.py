"""The intake beside the API server: it is started again, whatever keeps it from that."""

from __future__ import annotations

import asyncio

import pytest

from workers.api import server


class Ended:
    """A process that has ended."""

    async def wait(self) -> int:
        return 1


def test_an_intake_that_cannot_be_started_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        starts, started_again = 0, asyncio.Event()

        async def start(*_: object, **__: object) -> Ended:
            nonlocal starts
            starts += 1
            if starts == 2:
                raise BlockingIOError(11, "Resource temporarily unavailable")
            if starts == 3:
                started_again.set()
            return Ended()

        monkeypatch.setattr(asyncio, "create_subprocess_exec", start)
        monkeypatch.setattr(server, "_RESTART_S", 0.01)
        async with server._intake():
            await asyncio.wait_for(started_again.wait(), 60)

    asyncio.run(run())
