"""uvicorn's protocol with limits that it lacks: on connections, and on the time until a request's head."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from workers.api.errors.responses import error_bytes


class BoundedProtocol(H11Protocol):
    """uvicorn's protocol with these limits.

    Attributes:
        patience_s: Seconds until the head of a request must be there, and to an end that was begun.
        max_connections: Connections at once; further ones are closed.
    """

    patience_s: float
    max_connections: int
    _idle_since: float | None = None
    _watch: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, unless there are too many."""
        super().connection_made(transport)
        if len(self.connections) > self.max_connections:
            transport.abort()
            return
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop watching the connection."""
        if self._watch is not None:
            self._watch.cancel()
        super().connection_lost(exc)

    def _look(self) -> None:
        """Close the connection if it has been idle, or about to close, for too long."""
        is_busy = self.cycle is not None and not self.cycle.response_complete
        if is_busy and not self.transport.is_closing():
            self._idle_since = None
        elif self._idle_since is None:
            self._idle_since = self.loop.time()
        elif self.loop.time() - self._idle_since >= self.patience_s:
            self.transport.abort()
            return
        self._watch = self.loop.call_later(self.patience_s / 4, self._look)

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP request in the API's own shape, unless it was answered before."""
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.close()
            return
        headers: Any = [
            (b"content-type", b"application/json"),
            (b"connection", b"close"),
            (b"x-request-id", f"req_{secrets.token_hex(16)}".encode()),
        ]
        for event in (
            h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
            h11.Data(data=error_bytes(400, "not a valid HTTP request")),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()


def bounded(patience: float, connections: int) -> type[H11Protocol]:
    """Return the protocol with these limits."""

    class Protocol(BoundedProtocol):
        patience_s, max_connections = patience, connections

    return Protocol
