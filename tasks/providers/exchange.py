"""The record of a call's HTTP exchange.

LiteLLM's exceptions do not tell whether a request was sent, or whether their status 500 stands for a success
status with an invalid body. The ledger needs both, so the transport records them while the call is in flight.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import aiohttp

from tasks.providers.errors import ErrorKind


@dataclass(slots=True)
class Exchange:
    """One call as the transport recorded it.

    Attributes:
        session: The connections.
        max_response_bytes: The size limit of a response's body.
        sent: Whether anything may have been sent; None if the call did not use the transport.
        status: The status of the response.
        retry_after: The header of this name.
        error_type: The class of an error as AWS names it, in a header.
        content: The body of the response, if it was read to its end.
        failure: What kept the request or the response from arriving.
    """

    session: aiohttp.ClientSession
    max_response_bytes: int
    sent: bool | None = None
    status: int | None = None
    retry_after: str | None = None
    error_type: str | None = None
    content: bytes | None = None
    failure: ErrorKind | None = None

    @property
    def is_success(self) -> bool:
        """Whether the response's status is a success."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def is_answered(self) -> bool:
        """Whether a successful response arrived as a whole."""
        return self.is_success and self.content is not None and self.failure is None

    def begin(self) -> None:
        """Reset the record, before a request is sent."""
        self.sent = True
        self.status = self.retry_after = self.error_type = self.content = self.failure = None

    def record_response(self, response: aiohttp.ClientResponse) -> None:
        """Record the status and headers of a response; its body has not been read yet."""
        self.record(response.status, response.headers)

    def record(self, status: int, headers: Mapping[str, str]) -> None:
        """Record a status and headers, whose names are in any case."""
        self.status = status
        self.retry_after = _retry_after(headers)
        self.error_type = headers.get("x-amzn-ErrorType", "").partition(":")[0] or None


_MAX_DIGITS = 12


def _retry_after(headers: Mapping[str, str]) -> str | None:
    """Return the time to wait: OpenAI and Azure also send it in milliseconds, which is more exact."""
    milliseconds = headers.get("retry-after-ms", "")
    is_number = milliseconds.isdecimal() and len(milliseconds) < _MAX_DIGITS
    return f"{int(milliseconds) / 1000}" if is_number else headers.get("Retry-After")


_current: ContextVar[Exchange | None] = ContextVar("waybill_exchange", default=None)


@contextmanager
def watch(session: aiohttp.ClientSession, *, max_response_bytes: int) -> Iterator[Exchange]:
    """Provide the exchange for the call that is made within this context, over connections of `session`."""
    exchange = Exchange(session, max_response_bytes)
    token = _current.set(exchange)
    try:
        yield exchange
    finally:
        _current.reset(token)


def current_exchange() -> Exchange | None:
    """Return the exchange of the call that is being made here; None outside of any."""
    return _current.get()


def begin_exchange() -> Exchange:
    """Return the current exchange, reset for a new request; the transport calls this."""
    exchange = _current.get()
    if exchange is None:
        raise RuntimeError("a provider was called outside of watch()")
    exchange.begin()
    return exchange
