"""Connections to providers: one aiohttp session per event loop, and response bodies of a bounded size."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx
from yarl import URL

from tasks.providers.errors import ErrorKind
from tasks.providers.exchange import Exchange

_MAX_CONNECTIONS = 1000
_CONNECT_S = 15.0
#: errors before the request was sent
_NEVER_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
_UNCOMPRESSED = ("", "identity")


class Connections:
    """The session of one event loop, which the transports of a process share; it opens at the first call."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    def session(self) -> aiohttp.ClientSession:
        """Return the session; call this within its event loop."""
        if self._session is None:
            self._session = open_session()
        return self._session

    async def aclose(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None


def open_session() -> aiohttp.ClientSession:
    """Return a session that keeps connections but no cookies; call this within its event loop."""
    return aiohttp.ClientSession(
        # httpx's context has certifi's certificate authorities, or those that $SSL_CERT_FILE names.
        connector=aiohttp.TCPConnector(limit=_MAX_CONNECTIONS, ssl=httpx.create_ssl_context()),
        # The caller limits the whole call; a failure to connect is reported sooner.
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
    )


def proxy_for(url: URL) -> str | None:
    """Return the system's proxy for this URL; None for a loopback address."""
    host = url.host or ""
    if _is_loopback(host) or proxy_bypass(host):
        return None
    return getproxies().get(url.scheme)


async def bounded_body(response: aiohttp.ClientResponse, exchange: Exchange) -> AsyncIterator[bytes]:
    """Yield the body as it arrives.

    Raises:
        ClientPayloadError: The body is larger than the `max_response_bytes` of the exchange, or compressed.
            The exchange records an invalid reply.
    """
    # Compression was not requested, and a compressed body could exceed the limit when it is unpacked.
    is_plain = response.headers.get("content-encoding", "").lower() in _UNCOMPRESSED
    left = exchange.max_response_bytes if is_plain else 0
    with recording_failures(exchange):
        async for part in response.content.iter_any():
            left -= len(part)
            if left < 0:
                exchange.failure = ErrorKind.INVALID_REPLY
                raise aiohttp.ClientPayloadError("the reply is too large, or compressed")
            yield part


@contextmanager
def recording_failures(exchange: Exchange) -> Iterator[None]:
    """Record aiohttp's errors in the exchange, and whether anything was sent; the errors propagate."""
    try:
        yield
    except (aiohttp.ClientError, OSError) as error:
        if isinstance(error, _NEVER_SENT):
            exchange.sent = False
        kind = ErrorKind.TIMEOUT if isinstance(error, TimeoutError) else ErrorKind.CONNECTION
        exchange.failure = exchange.failure or kind
        raise


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
