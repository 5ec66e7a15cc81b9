"""`waybill api`: uvicorn with the application, and the intake beside it."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from tasks.errors import SettingsError
from tasks.files.opening import open_storage
from tasks.private_home import secure
from tasks.processes import freeze_loaded_objects
from tasks.settings import Settings
from tasks.store.engine import Store
from tasks.store.schema import ensure_schema
from tasks.webhooks.targets import of_settings, secret_of
from workers.api.context import Context
from workers.api.keys.concurrency import KeyRequests
from workers.api.log import log_to_stderr
from workers.errors import MissingPartError
from workers.worker.alive_file import EVERY_S, alive_file

if TYPE_CHECKING:
    import uvicorn

logger = logging.getLogger(__name__)

#: seconds that requests may go on after SIGTERM
DRAIN_S = 20
#: one key gets this part of the connections at most
_KEY_SHARE = 4
_RESTART_S = 1.0
_INTAKE_STOP_S = 5.0
_INTAKE = (sys.executable, "-m", "workers.api.intake")


def run_api(
    settings: Settings, *, address: str | None, port: int | None, notify: Callable[[str], None]
) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        SettingsError: The settings are wrong, or the port is taken.
        MissingPartError: The extra `api` is not installed.
    """
    try:
        import uvicorn

        from workers.api.application import application
        from workers.api.door.middleware import MAX_HEADERS
        from workers.api.door.protocol import bounded
    except ModuleNotFoundError as error:
        raise MissingPartError(f"the API server needs {error.name}: pip install 'waybill[api]'") from None
    from tasks.providers.loopback import is_loopback

    if not settings.models:
        raise SettingsError("no [[models]]: name some in waybill.toml")
    of_settings(settings)
    secret_of(settings)
    log_to_stderr()
    secure(settings.home)
    store = Store(settings.store_url)
    ensure_schema(store)
    api = settings.api
    host, number = api.address if address is None else address, api.port if port is None else port
    if not api.tls_certificate and not is_loopback(host):
        notify(
            f"warning: {host} without TLS: keys can be read on the way; use [api] tls_certificate or a proxy"
        )
    context = _context(settings, store)
    server = uvicorn.Server(
        uvicorn.Config(
            application(context),
            host=host,
            port=number,
            http=bounded(api.patience_s, api.max_connections),
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            h11_max_incomplete_event_size=MAX_HEADERS,
            timeout_keep_alive=int(api.patience_s),
            timeout_graceful_shutdown=DRAIN_S,
            ssl_certfile=api.tls_certificate,
            ssl_keyfile=api.tls_key,
        )
    )

    def stop(*_: object) -> None:
        server.should_exit = True
        context.stopping.set()

    for signal_number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn sends itself the signal again when it has stopped, which would leave the intake behind.
        signal.signal(signal_number, stop)
    freeze_loaded_objects()
    scheme = "https" if api.tls_certificate else "http"
    asyncio.run(_serve(server, lambda bound: _say(notify, f"{scheme}://{host}:{bound}")))
    store.close()


def _say(notify: Callable[[str], None], url: str) -> None:
    notify(f"API: {url}/v1")
    notify(f"page: {url}/")


def _context(settings: Settings, store: Store) -> Context:
    requests = KeyRequests(max(settings.api.max_connections // _KEY_SHARE, 1))
    return Context(settings, store, open_storage(settings), requests)


async def _serve(server: object, started: Callable[[int], None]) -> None:
    import uvicorn

    assert isinstance(server, uvicorn.Server)
    async with _intake(), _beating():
        serving = asyncio.create_task(_served(server))
        while not server.started and not serving.done():
            await asyncio.sleep(0.02)
        if server.started:
            started(server.servers[0].sockets[0].getsockname()[1])
        with suppress(asyncio.CancelledError):
            await serving
    if not server.started:
        raise SettingsError(f"{server.config.host}:{server.config.port} cannot be used: see [api]")


async def _served(server: uvicorn.Server) -> None:
    """Serve; where the address cannot be used, uvicorn ends the process, which would be a traceback."""
    with suppress(SystemExit):
        await server.serve()


@asynccontextmanager
async def _intake() -> AsyncIterator[None]:
    """Run the intake, and start it again where it ends, until the block does."""
    watching = asyncio.create_task(_keep_intake())
    try:
        yield
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching


async def _keep_intake() -> None:
    while True:
        try:
            await _run_intake()
        except OSError as error:  # no memory, or too many processes
            logger.warning("the intake does not start: %s; it is tried again", type(error).__name__)
        await asyncio.sleep(_RESTART_S)


async def _run_intake() -> None:
    process = await asyncio.create_subprocess_exec(*_INTAKE, str(os.getpid()), stdin=subprocess.DEVNULL)
    try:
        status = await process.wait()
    except asyncio.CancelledError:
        await _stop(process)
        raise
    logger.warning("the intake ended with status %d; it starts again", status)


async def _stop(process: asyncio.subprocess.Process) -> None:
    """End the intake; what it does not end in time, another one goes on with."""
    with suppress(ProcessLookupError):
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), _INTAKE_STOP_S)
        except TimeoutError:
            process.kill()
            await process.wait()


@asynccontextmanager
async def _beating() -> AsyncIterator[None]:
    """Touch the alive file while the loop turns."""
    alive = alive_file()

    async def beat() -> None:
        while alive is not None:
            alive.beat()
            await asyncio.sleep(EVERY_S)

    beats = asyncio.create_task(beat())
    try:
        yield
    finally:
        beats.cancel()
