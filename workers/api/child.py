"""Work that loads a router, in processes of their own: few at a time, and none for ever."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from typing import TYPE_CHECKING, Any

from starlette.requests import ClientDisconnect, Request

if TYPE_CHECKING:
    from tasks.settings import Settings
    from tasks.store.engine import Store

logger = logging.getLogger(__name__)

#: seconds that the work may take
_PATIENCE_S = 300.0


async def ask(
    request: Request, module: str, asked: dict[str, Any], *, turn: AbstractAsyncContextManager[None]
) -> dict[str, Any]:
    """Return what a module, run as a process, answers; with `error` where it does not.

    An error that is not the visitor's has a `status` of HTTP, too.

    Args:
        request: The visitor's request.
        module: The module, which calls `answer`.
        asked: What is written to it.
        turn: The turn of whose work it is.

    Raises:
        ClientDisconnect: The visitor has gone: the process is ended.
    """
    work, leaving = asyncio.create_task(_run(module, asked, turn)), asyncio.create_task(_has_left(request))
    try:
        await asyncio.wait((work, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            raise ClientDisconnect
        return work.result()
    finally:
        for task in (work, leaving):
            task.cancel()
        await asyncio.gather(work, leaving, return_exceptions=True)


async def _has_left(request: Request) -> None:
    """Return when the visitor's connection has ended."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _run(module: str, asked: dict[str, Any], turn: AbstractAsyncContextManager[None]) -> dict[str, Any]:
    async with turn:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            module,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            written, _ = await asyncio.wait_for(process.communicate(json.dumps(asked).encode()), _PATIENCE_S)
        except TimeoutError:
            return {"error": "that took too long", "status": 504}
        finally:
            if process.returncode is None:  # the visitor has gone, or it took too long
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
    if process.returncode:
        logger.error("%s ended with status %d", module, process.returncode)
        return {"error": "an error of the server", "status": 500}
    answered: dict[str, Any] = json.loads(written)
    return answered


def answer(work: Callable[[Settings, Store, dict[str, Any]], dict[str, Any]]) -> None:
    """Answer what `ask` writes to this process: do the work, and write what it returns."""
    from tasks.settings import load_settings
    from tasks.store.engine import Store

    asked, settings = json.load(sys.stdin), load_settings()
    store = Store(settings.store_url)
    try:
        json.dump(work(settings, store, asked), sys.stdout)
    finally:
        store.close()
