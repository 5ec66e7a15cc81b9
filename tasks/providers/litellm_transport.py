"""The HTTP transport of all of LiteLLM's clients: aiohttp's connections with httpx's interface.

httpx's own connection pool searches all its connections on every request: with 200 calls in flight, a call
through it takes three times the CPU time (measured: 14 ms instead of 5 ms, LiteLLM's share included).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from http import HTTPStatus

import aiohttp
import httpx
from yarl import URL

from tasks.providers.connections import proxy_for, read_body, recording_failures
from tasks.providers.exchange import Exchange, begin_exchange
from tasks.providers.native_usage import with_usage

#: the header in which OpenAI's client counts its own repeats of a request
_REPEATS = "x-stainless-retry-count"
#: Without a Location header, httpx cannot follow a redirect: a key goes to its configured base only. The body
#: is unpacked already.
_WITHHELD = (b"location", b"content-encoding", b"content-length")


class WatchedTransport(httpx.AsyncBaseTransport):
    """An httpx transport that uses the session of the current exchange and records the call in it.

    It limits the size of replies. aiohttp's errors propagate unchanged and not as httpx's errors: after some
    of those, LiteLLM would repeat the request, which may have been paid for.
    """

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request and return the response; a successful response's body is still to be read."""
        if request.headers.get(_REPEATS, "0") != "0":
            raise aiohttp.ClientError("an SDK would send a request again, which may be paid for twice")
        exchange = begin_exchange()
        request.headers["Accept-Encoding"] = "identity"
        url = URL(str(request.url), encoded=True)
        with recording_failures(exchange):
            response = await exchange.session.request(
                request.method,
                url,
                headers=request.headers.multi_items(),
                data=await request.aread(),
                allow_redirects=False,
                proxy=proxy_for(url),
            )
        exchange.record_response(response)
        headers = [(name, value) for name, value in response.raw_headers if name.lower() not in _WITHHELD]
        stream = _BoundedStream(response, exchange)
        if response.status < HTTPStatus.BAD_REQUEST:
            return httpx.Response(response.status, headers=headers, stream=stream)
        # Not every client of LiteLLM reads an error's body.
        return httpx.Response(response.status, headers=headers, content=await stream.read())


class _BoundedStream(httpx.AsyncByteStream):
    def __init__(self, response: aiohttp.ClientResponse, exchange: Exchange) -> None:
        self._response = response
        self._exchange = exchange

    async def __aiter__(self) -> AsyncIterator[bytes]:
        content = await read_body(self._response, self._exchange)
        self._exchange.content = content
        yield with_usage(content) if self._exchange.is_success else content

    async def read(self) -> bytes:
        try:
            return b"".join([part async for part in self])
        finally:
            await self.aclose()

    async def aclose(self) -> None:
        # Closes the connection if the body was not read to its end, and keeps it otherwise.
        self._response.close()
