"""The delivery of an answer as planned: whole, never, byte by byte, broken off or far too large."""

import asyncio
import json
import socket
import struct

from aiohttp import web

from workers.simulator.errors import RefusedError
from workers.simulator.faults import Fault
from workers.simulator.http_errors import HTTP_ERRORS
from workers.simulator.protocols.protocol import Call, Protocol

_HANG_S = 600.0
_DRIP_S = 0.5
_HUGE_BYTES = 50 * 1024 * 1024
_HTML = b"<!doctype html><html><head><title>Welcome</title></head><body><h1>It works!</h1></body></html>"
_PIECE = b"x" * (1024 * 1024)


async def deliver(call: Call, protocol: Protocol, http: web.Request) -> web.StreamResponse:
    """Send the response to a call; raises RefusedError where the plan is an HTTP error."""
    fault = call.plan.fault
    if fault in HTTP_ERRORS:
        raise RefusedError(HTTP_ERRORS[fault])
    if fault in (Fault.HANG, Fault.HANG_BILLED):
        return await _hang(http)
    if fault is Fault.HUGE_BODY:
        return await _huge_body(http)
    if fault is Fault.HTML:
        return web.Response(body=_HTML, content_type="text/html")
    body = protocol.encode(call)
    if fault is Fault.DRIP:
        return await _drip(http, body)
    if fault is Fault.RESET:
        return await _reset(http, body)
    whole = fault is not Fault.TRUNCATED
    return web.Response(body=body if whole else body[: len(body) // 2], content_type="application/json")


async def _hang(http: web.Request) -> web.StreamResponse:
    """Send nothing for ten minutes, then reset the connection; a caller that hangs up ends it sooner."""
    await asyncio.sleep(_HANG_S)
    return await _reset(http, b"")


async def _drip(http: web.Request, body: bytes) -> web.StreamResponse:
    """Send a whole answer at two bytes a second."""
    response = await _start(http, len(body))
    for index in range(len(body)):
        await response.write(body[index : index + 1])
        await asyncio.sleep(_DRIP_S)
    return response


async def _reset(http: web.Request, body: bytes) -> web.StreamResponse:
    """Send half the answer, then reset the connection (RST)."""
    response = await _start(http, len(body))
    await response.write(body[: len(body) // 2])
    transport = http.transport
    if transport is not None:
        linger = struct.pack("ii", 1, 0)  # On, for zero seconds: close() sends RST instead of FIN.
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        transport.abort()
    return response


async def _huge_body(http: web.Request) -> web.StreamResponse:
    """Send a valid completion whose content is 50 MiB long."""
    head, tail = (
        json.dumps({"choices": [{"message": {"role": "assistant", "content": "|"}}]}).encode().split(b"|")
    )
    response = await _start(http, len(head) + _HUGE_BYTES + len(tail))
    await response.write(head)
    for _ in range(_HUGE_BYTES // len(_PIECE)):
        await response.write(_PIECE)
    await response.write(tail)
    return response


async def _start(http: web.Request, length: int) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": str(length)})
    await response.prepare(http)
    return response
