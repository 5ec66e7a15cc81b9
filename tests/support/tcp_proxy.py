"""A TCP proxy on loopback that can delay what passes, reset its connections, or drop all in silence."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from types import TracebackType
from typing import Self


class TcpProxy:
    """Forwards connections while the block runs; `black_hole` and `reset` inject faults.

    Args:
        target: A port of loopback, or the path of a socket.
        delay_s: How much later each piece arrives, in each direction.
    """

    def __init__(self, target: int | str, *, delay_s: float = 0.0) -> None:
        self._target, self._delay_s = target, delay_s
        self._loop = asyncio.new_event_loop()
        self._writers: set[asyncio.StreamWriter] = set()
        self._open = asyncio.Event()
        self._open.set()
        self.port = 0

    def black_hole(self, active: bool) -> None:
        """Let nothing pass from now on, without closing a connection; or let everything pass again."""
        self._loop.call_soon_threadsafe(self._open.clear if active else self._open.set)

    def reset(self) -> None:
        """Reset (RST) every connection; new ones are accepted."""
        asyncio.run_coroutine_threadsafe(self._reset(), self._loop).result()

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        start = asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._server = asyncio.run_coroutine_threadsafe(self._begin(start), self._loop).result()
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.black_hole(False)
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _begin(self, start: object) -> asyncio.Server:
        server: asyncio.Server = await start  # type: ignore[misc]
        return server

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await self._connect()
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, far_writer}
        await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
        self._writers -= {writer, far_writer}

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self._target, str):
            return await asyncio.open_unix_connection(self._target)
        return await asyncio.open_connection("127.0.0.1", self._target)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(1 << 16):
                await self._open.wait()
                if self._delay_s:
                    self._loop.call_later(self._delay_s, writer.write, data)
                else:
                    writer.write(data)
                    await writer.drain()
        except OSError:
            pass
        finally:
            await asyncio.sleep(self._delay_s)
            writer.close()

    async def _reset(self) -> None:
        for writer in list(self._writers):
            # On, for zero seconds: closing sends RST instead of FIN.
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()

    async def _end(self) -> None:
        self._server.close()
        await self._reset()
        await asyncio.sleep(0.05)
