"""Connections to providers: one aiohttp session per event loop, and response bodies of a bounded size."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.request import getproxies, proxy_bypass
from weakref import WeakSet

import aiohttp
import httpx
from yarl import URL

from tasks.providers.errors import ErrorKind
from tasks.providers.exchange import Exchange
from tasks.providers.loopback import is_loopback

_MAX_CONNECTIONS = 1000
_CONNECT_S = 15.0
#: errors before the request was sent
_NEVER_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
_UNCOMPRESSED = ("", "identity")
#: the encodings of a body that some servers use unasked, …
_ZLIB = ("gzip", "x-gzip", "deflate")
#: … which zlib tells apart by their headers
_ANY_HEADER = 32 + zlib.MAX_WBITS


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
        connector=_Connector(limit=_MAX_CONNECTIONS, ssl=httpx.create_ssl_context()),
        # The caller limits the whole call; a failure to connect is reported sooner.
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
    )


class _Connector(aiohttp.TCPConnector):
    """Connections of which an idle one is not used again where a response came that nobody asked for.

    It would be taken for the answer to the next request, which may be of another batch. Such are the status
    408 of a server that waits no longer, and an answer that comes twice.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._used: WeakSet[Any] = WeakSet()

    async def connect(self, *arguments: Any, **options: Any) -> aiohttp.connector.Connection:
        """Return a connection from the pool, or a new one."""
        while True:
            connection = await super().connect(*arguments, **options)
            protocol = connection.protocol
            assert protocol is not None  # it was acquired just now
            if protocol not in self._used or not protocol.should_close:
                self._used.add(protocol)
                return connection
            connection.close()


def proxy_for(url: URL) -> str | None:
    """Return the system's proxy for this URL; None for a loopback address."""
    host = url.host or ""
    if is_loopback(host) or proxy_bypass(host):
        return None
    return getproxies().get(url.scheme)


async def read_body(response: aiohttp.ClientResponse, exchange: Exchange) -> bytes:
    """Return the body of a response, unpacked: some servers compress it although nobody asked for that.

    Raises:
        ClientPayloadError: The body is larger than the `max_response_bytes` of the exchange, or compressed in
            a way that is not read. The exchange records an invalid reply.
    """
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    unpack, parts = _unpacker(encoding), []
    left = exchange.max_response_bytes if encoding in (*_UNCOMPRESSED, *_ZLIB) else 0
    with recording_failures(exchange):
        async for packed in response.content.iter_any():
            part = unpack(packed, left + 1)
            left -= len(part)
            if left < 0:
                exchange.failure = ErrorKind.INVALID_REPLY
                raise aiohttp.ClientPayloadError("the reply is too large, or compressed")
            parts.append(part)
    return b"".join(parts)


def _unpacker(encoding: str) -> Callable[[bytes, int], bytes]:
    """Return what unpacks the parts of a body, one after the other, to at most so many bytes each."""
    if encoding not in _ZLIB:
        return lambda part, _: part
    unpacker = zlib.decompressobj(_ANY_HEADER)

    def unpack(part: bytes, limit: int) -> bytes:
        try:
            return unpacker.decompress(part, limit)
        except zlib.error:
            return part  # it is not compressed, or damaged: then it is no JSON

    return unpack


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
