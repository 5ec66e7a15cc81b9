"""The HTTP transport of those of LiteLLM's clients that block; it calls them in threads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from tasks.providers.errors import ErrorKind
from tasks.providers.exchange import Exchange, current_exchange


class WatchedSyncTransport(httpx.HTTPTransport):
    """An httpx transport that records the call in the current exchange, if there is one."""

    def __init__(self) -> None:
        super().__init__(verify=httpx.create_ssl_context())

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request and return the response, with its body."""
        exchange = current_exchange()
        if exchange is None:
            return super().handle_request(request)
        exchange.begin()
        request.headers["Accept-Encoding"] = "identity"
        with _recording_failures(exchange):
            response = super().handle_request(request)
            exchange.record(response.status_code, response.headers)
            try:
                content = b"".join(_bounded(response.iter_raw(), exchange))
            finally:
                response.close()
        exchange.content = content
        # Without a Location header, httpx cannot follow a redirect: a key goes to its configured base only.
        headers = [(name, value) for name, value in response.headers.raw if name.lower() != b"location"]
        return httpx.Response(response.status_code, headers=headers, content=content)


@contextmanager
def _recording_failures(exchange: Exchange) -> Iterator[None]:
    """Record httpx's errors in the exchange, and whether anything was sent; the errors propagate."""
    try:
        yield
    except httpx.TransportError as error:
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            exchange.sent = False
        is_late = isinstance(error, httpx.TimeoutException)
        exchange.failure = exchange.failure or (ErrorKind.TIMEOUT if is_late else ErrorKind.CONNECTION)
        raise


def _bounded(parts: Iterator[bytes], exchange: Exchange) -> Iterator[bytes]:
    """Yield the parts of a body; raises httpx's ReadError where they are larger than the exchange allows."""
    left = exchange.max_response_bytes
    for part in parts:
        left -= len(part)
        if left < 0:
            exchange.failure = ErrorKind.INVALID_REPLY
            raise httpx.ReadError("the reply is too large")
        yield part
