"""Connections to providers: one aiohttp session per event loop, and replies bounded while they arrive."""

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
_NEVER_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
_PLAIN = ("", "identity")


class Connections:
    """The session of one event loop, opened at the first call: every transport of a process shares it."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    def session(self) -> aiohttp.ClientSession:
        """Return the session; call it within the event loop that it is for."""
        if self._session is None:
            self._session = open_session()
        return self._session

    async def aclose(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None


def open_session() -> aiohttp.ClientSession:
    """Return a session that keeps connections and nothing else; call it within the event loop that it is for."""
    return aiohttp.ClientSession(
        # httpx's context is certifi's authorities, or those that $SSL_CERT_FILE names.
        connector=aiohttp.TCPConnector(limit=_MAX_CONNECTIONS, ssl=httpx.create_ssl_context()),
        # The whole call is bounded by its caller; a connection that is not made is worth knowing sooner.
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
    )


def proxy_for(url: URL) -> str | None:
    """Return the proxy that the machine's settings name for this URL, never one for a loopback address."""
    host = url.host or ""
    if _is_loopback(host) or proxy_bypass(host):
        return None
    return getproxies().get(url.scheme)


async def parts_of(response: aiohttp.ClientResponse, exchange: Exchange) -> AsyncIterator[bytes]:
    """Return the body as it arrives; ClientPayloadError, noted as garbage, once it exceeds the exchange's bound."""
    # Compression was not asked for, and what is bounded here would grow when it is unpacked.
    plain = response.headers.get("content-encoding", "").lower() in _PLAIN
    left = exchange.max_response_bytes if plain else 0
    with noting_failures(exchange):
        async for part in response.content.iter_any():
            left -= len(part)
            if left < 0:
                exchange.failure = ErrorKind.GARBAGE
                raise aiohttp.ClientPayloadError("the reply is too large, or compressed")
            yield part


@contextmanager
def noting_failures(exchange: Exchange) -> Iterator[None]:
    """Note in the exchange what aiohttp raises, and whether anything was sent; the error goes on."""
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
