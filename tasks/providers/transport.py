"""The HTTP transport under all of LiteLLM's clients: aiohttp's connections behind httpx's interface.

httpx's own connection pool searches all its connections on every request: with 200 calls in flight, a call
through it takes three times the processor time (measured: 14 ms against 5 ms, LiteLLM's share included).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx
from yarl import URL

from tasks.providers.errors import ErrorKind
from tasks.providers.exchange import Exchange, begin_exchange

_MAX_CONNECTIONS = 1000
_CONNECT_S = 15.0
_NEVER_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
_PLAIN = ("", "identity")


def open_session() -> aiohttp.ClientSession:
    """The connections of one provider; call it within the event loop that they are for."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=_MAX_CONNECTIONS, ssl=httpx.create_ssl_context()),
        # The whole call is bounded by its caller; a connection that is not made is worth knowing sooner.
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
    )


class WatchedTransport(httpx.AsyncBaseTransport):
    """Keeps the current exchange up to date, over its session, and stops replies that are too large.

    aiohttp's errors pass through: the exchange has what is to be known about them. They are none of httpx's
    on purpose, since LiteLLM sends a request again, paid for or not, after some of those.
    """

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request; the response's body is still to be read."""
        exchange = begin_exchange()
        request.headers["Accept-Encoding"] = "identity"
        with _noting_failures(exchange):
            response = await exchange.session.request(
                request.method,
                URL(str(request.url), encoded=True),
                headers=request.headers.multi_items(),
                data=await request.aread(),
                allow_redirects=False,
                proxy=proxy_for(request.url),
            )
        exchange.status = response.status
        exchange.retry_after = response.headers.get("Retry-After")
        # Without a location, httpx cannot follow a redirect: a key goes to its configured base only.
        headers = [(name, value) for name, value in response.raw_headers if name.lower() != b"location"]
        return httpx.Response(response.status, headers=headers, stream=_BoundedStream(response, exchange))


class _BoundedStream(httpx.AsyncByteStream):
    def __init__(self, response: aiohttp.ClientResponse, exchange: Exchange) -> None:
        self._response = response
        self._exchange = exchange

    async def __aiter__(self) -> AsyncIterator[bytes]:
        # Compression was not asked for, and what is bounded here would grow when it is unpacked.
        plain = self._response.headers.get("content-encoding", "").lower() in _PLAIN
        left = self._exchange.max_response_bytes if plain else 0
        with _noting_failures(self._exchange):
            async for part in self._response.content.iter_any():
                left -= len(part)
                if left < 0:
                    self._exchange.failure = ErrorKind.GARBAGE
                    raise aiohttp.ClientPayloadError("the reply is too large, or compressed")
                yield part

    async def aclose(self) -> None:
        # Drops the connection of a body that was not read to its end, and keeps any other.
        self._response.close()


def proxy_for(url: httpx.URL) -> str | None:
    """The proxy that the machine's settings name for this URL, never one for a loopback address."""
    if _is_loopback(url.host) or proxy_bypass(url.host):
        return None
    return getproxies().get(url.scheme)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@contextmanager
def _noting_failures(exchange: Exchange) -> Iterator[None]:
    try:
        yield
    except (aiohttp.ClientError, OSError) as error:
        if isinstance(error, _NEVER_SENT):
            exchange.sent = False
        kind = ErrorKind.TIMEOUT if isinstance(error, TimeoutError) else ErrorKind.CONNECTION
        exchange.failure = exchange.failure or kind
        raise
