"""Work in a process of its own ends with its answer, its visitor's patience or its time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from starlette.requests import ClientDisconnect, Request

from workers.api import child

#: a module that waits for more to come after what it is asked; as a program it never ends
_NEVER_ANSWERS = "tests.support.never_answers"
Processes = list[asyncio.subprocess.Process]


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> Processes:
    """The processes that are started."""
    started: Processes = []
    start: Callable[..., Any] = asyncio.create_subprocess_exec

    async def noting(*arguments: Any, **options: Any) -> asyncio.subprocess.Process:
        started.append(await start(*arguments, **options))
        return started[-1]

    monkeypatch.setattr(asyncio, "create_subprocess_exec", noting)
    return started


def _request(left: asyncio.Event) -> Request:
    """Return the request of a visitor who leaves when the event is set."""
    messages = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Any:
        if messages:
            return messages.pop()
        await left.wait()
        return {"type": "http.disconnect"}

    return Request({"type": "http", "method": "GET", "headers": []}, receive)


def _ask(
    request: Request, module: str, asked: dict[str, Any], loading: asyncio.Semaphore | None = None
) -> Coroutine[Any, Any, dict[str, Any]]:
    return child.ask(request, module, asked, turn=loading or asyncio.Semaphore(2))


def test_the_process_ends_when_its_visitor_leaves(processes: Processes) -> None:
    async def leave_early() -> None:
        left = asyncio.Event()
        asking = asyncio.create_task(_ask(_request(left), _NEVER_ANSWERS, {}))
        while not processes:
            await asyncio.sleep(0.01)
        left.set()
        with pytest.raises(ClientDisconnect):
            await asking

    asyncio.run(asyncio.wait_for(leave_early(), 240))
    assert [one.returncode for one in processes] == [-9]


def test_who_leaves_while_others_are_served_starts_no_process(processes: Processes) -> None:
    async def leave_the_queue() -> None:
        loading = asyncio.Semaphore(2)
        stays, leaves = asyncio.Event(), asyncio.Event()
        served = [asyncio.create_task(_ask(_request(stays), _NEVER_ANSWERS, {}, loading)) for _ in range(2)]
        while len(processes) < 2:
            await asyncio.sleep(0.01)
        waiting = asyncio.create_task(_ask(_request(leaves), _NEVER_ANSWERS, {}, loading))
        leaves.set()
        with pytest.raises(ClientDisconnect):
            await waiting
        stays.set()
        await asyncio.gather(*served, return_exceptions=True)

    asyncio.run(asyncio.wait_for(leave_the_queue(), 240))
    assert [one.returncode for one in processes] == [-9, -9]


def test_the_process_ends_with_its_time(processes: Processes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "_PATIENCE_S", 0.01)

    async def wait() -> dict[str, Any]:
        return await _ask(_request(asyncio.Event()), _NEVER_ANSWERS, {})

    assert asyncio.run(asyncio.wait_for(wait(), 240)) == {"error": "that took too long", "status": 504}
    assert [one.returncode for one in processes] == [-9]


def test_a_process_that_fails_is_an_error_of_the_server(processes: Processes) -> None:
    async def fail() -> dict[str, Any]:
        return await _ask(_request(asyncio.Event()), "tests.support.no_such_module", {})

    assert asyncio.run(asyncio.wait_for(fail(), 240)) == {"error": "an error of the server", "status": 500}
    assert [one.returncode for one in processes] == [1]
