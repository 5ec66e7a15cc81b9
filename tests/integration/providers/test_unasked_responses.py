"""A response that nobody asked for, on a kept connection, is not taken for the answer to the next request."""

from __future__ import annotations

import asyncio
import fcntl
import json
import struct
import termios
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pydantic import SecretStr

from tasks.providers import Deployment, Reply
from tasks.providers.interface import Transport
from tests.support.provider_calls import opened, outcome_of
from tests.support.provider_server import COMPLETION, REQUEST


def response(text: str, *, status: str = "200 OK") -> bytes:
    body = json.dumps(COMPLETION).replace("four", text).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


class Talkative:
    """A server that answers each request with its number, and says more when it is told to."""

    def __init__(self) -> None:
        self.connections: list[asyncio.StreamWriter] = []
        self.requests = 0

    async def say(self, data: bytes) -> None:
        """Write on the newest connection; returns when the client's loop has seen it."""
        writer = self.connections[-1]
        writer.write(data)
        while _unacknowledged(writer):
            await asyncio.sleep(0.001)
        for _ in range(3):  # the loop looks at its sockets each time
            await asyncio.sleep(0)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections.append(writer)
        while head := await _read_head(reader):
            [length] = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")]
            await reader.readexactly(int(length.partition(b":")[2]))
            self.requests += 1
            writer.write(response(f"answer {self.requests}"))
        writer.close()


async def _read_head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, OSError):  # the client has closed the connection
        return b""


def _unacknowledged(writer: asyncio.StreamWriter) -> int:
    """Return the bytes that have not arrived in the client's socket."""
    left = fcntl.ioctl(writer.get_extra_info("socket").fileno(), termios.TIOCOUTQ, struct.pack("i", 0))
    return int(struct.unpack("i", left)[0])


@asynccontextmanager
async def talkative() -> AsyncIterator[tuple[Talkative, str]]:
    talker = Talkative()
    server = await asyncio.start_server(talker.serve, "127.0.0.1", 0)
    try:
        yield talker, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    finally:
        server.close()


def test_the_next_request_gets_its_own_answer(transport: Transport) -> None:
    unasked = [response("another's"), response("another's", status="408 Request Timeout")]

    async def scenario() -> None:
        async with talkative() as (server, base), opened() as provider:
            deployment = Deployment(
                "model", "openai/m", api_key=SecretStr("k"), api_base=base, timeout_s=30, transport=transport
            )
            answers = []
            for more in [*unasked, None, None]:
                reply = await outcome_of(provider, deployment, REQUEST)
                assert isinstance(reply, Reply), reply
                answers.append(reply.body["choices"][0]["message"]["content"])
                if more is not None:
                    await server.say(more)
            assert answers == [f"answer {number}" for number in range(1, 5)]
            assert len(server.connections) == 1 + len(unasked), "one that kept quiet is used again"

    asyncio.run(scenario())
