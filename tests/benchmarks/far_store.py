"""A PostgreSQL that is far away: a proxy delays every round trip to it and counts them."""

from __future__ import annotations

import asyncio
import multiprocessing
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import make_url

from tasks.store.engine import Store

_SOCKET = ".s.PGSQL.5432"
_spawn = multiprocessing.get_context("spawn")


@contextmanager
def far_store(url: str, delay_ms: float) -> Iterator[tuple[Store, Any]]:
    """A worker's store behind a proxy, and the proxy's count of round trips."""
    with tempfile.TemporaryDirectory(prefix="waybill-bench-") as folder:
        trips, path = _spawn.Value("q", 0), f"{folder}/{_SOCKET}"
        target = str(Path(make_url(url).query["host"]) / _SOCKET)  # type: ignore[arg-type]
        proxy = _spawn.Process(target=_forward, args=(path, target, delay_ms / 1000, trips), daemon=True)
        proxy.start()
        _await_socket(path)
        far = make_url(url).update_query_dict({"host": folder}).render_as_string(hide_password=False)
        store = Store(far, is_worker=True)
        try:
            yield store, trips
        finally:
            store.close()
            proxy.terminate()


def _await_socket(path: str) -> None:
    """Wait until somebody listens."""
    while True:
        with socket.socket(socket.AF_UNIX) as probe, suppress(OSError):
            probe.connect(path)
            return
        time.sleep(0.05)


def _forward(path: str, target: str, delay_s: float, trips: Any) -> None:
    """Forward connections on one socket to another; what the client says arrives later."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_unix_connection(target)
        answered = asyncio.Event()
        answered.set()

        async def ask() -> None:
            while data := await reader.read(1 << 20):
                if answered.is_set():  # not the next part of a long statement
                    answered.clear()
                    trips.value += 1
                    await asyncio.sleep(delay_s)
                far_writer.write(data)
            far_writer.close()

        async def answer() -> None:
            while data := await far_reader.read(1 << 20):
                answered.set()
                writer.write(data)
            writer.close()

        await asyncio.gather(ask(), answer())

    async def run() -> None:
        await (await asyncio.start_unix_server(serve, path)).serve_forever()

    asyncio.run(run())
