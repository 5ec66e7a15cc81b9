"""Serving: bind, announce the port, and stop on a signal or when the parent ends."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from aiohttp import web

from workers.simulator.config import SimulatorConfig
from workers.simulator.server import Simulator

_SHUTDOWN_S = 0.2
_BACKLOG = 4096
_PARENT_CHECK_S = 1.0


async def serve(
    config: SimulatorConfig, *, host: str, port: int, port_file: Path | None, with_parent: bool = False
) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        port_file: The port is written to this file once the server listens.
        with_parent: Stop when the parent process ends, too.

    Raises:
        OSError: The address is in use.
    """
    stopped = _stop_on_signal()
    # Handlers are cancelled when the caller hangs up: a planned hang would otherwise go on for ten minutes.
    runner = web.AppRunner(
        Simulator(config).app(), access_log=None, handler_cancellation=True, shutdown_timeout=_SHUTDOWN_S
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, backlog=_BACKLOG).start()
        _announce(runner.addresses[0][1], host=host, port_file=port_file)
        watch = asyncio.create_task(_watch_parent(stopped)) if with_parent else None
        await stopped.wait()
        if watch is not None:
            watch.cancel()
    finally:
        await runner.cleanup()


def _stop_on_signal() -> asyncio.Event:
    stopped = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, stopped.set)
    return stopped


def _announce(port: int, *, host: str, port_file: Path | None) -> None:
    if port_file is not None:
        temporary = port_file.with_name(f"{port_file.name}.{os.getpid()}")
        temporary.write_text(f"{port}\n")
        temporary.replace(port_file)
    print(f"simulator: serving http://{host}:{port}/v1", file=sys.stderr, flush=True)


async def _watch_parent(stopped: asyncio.Event) -> None:
    parent = os.getppid()
    while os.getppid() == parent:
        await asyncio.sleep(_PARENT_CHECK_S)
    stopped.set()
