"""What happens on the wire of a call.

LiteLLM's exceptions do not say whether a request was sent, or that a "500" was a success status around
garbage; the ledger must know both. So the transport notes them here while the call is under way.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import aiohttp

from tasks.providers.errors import ErrorKind


@dataclass(slots=True)
class Exchange:
    """One call as the transport saw it; `sent` stays None where the call went another way."""

    session: aiohttp.ClientSession
    max_response_bytes: int
    sent: bool | None = None
    status: int | None = None
    retry_after: str | None = None
    #: the code in an error's body
    code: str | None = None
    failure: ErrorKind | None = None

    def begin(self) -> None:
        """A request is about to be sent."""
        self.sent = True
        self.status = self.retry_after = self.code = self.failure = None

    def answered(self, response: aiohttp.ClientResponse) -> None:
        """The head of the answer is here; its body is not."""
        self.status = response.status
        self.retry_after = response.headers.get("Retry-After")


_current: ContextVar[Exchange | None] = ContextVar("waybill_exchange", default=None)


@contextmanager
def watch(session: aiohttp.ClientSession, *, max_response_bytes: int) -> Iterator[Exchange]:
    """The exchange of the call that is made within this context, over connections of `session`."""
    exchange = Exchange(session, max_response_bytes)
    token = _current.set(exchange)
    try:
        yield exchange
    finally:
        _current.reset(token)


def begin_exchange() -> Exchange:
    """For the transport: the current exchange, at the start of a request."""
    exchange = _current.get()
    if exchange is None:
        raise RuntimeError("a provider was called outside of watch()")
    exchange.begin()
    return exchange
