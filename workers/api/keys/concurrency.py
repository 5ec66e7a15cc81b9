"""How many requests of each key are being answered: one key never takes all connections of a process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tasks.batch_api.errors import LimitReached


class KeyRequests:
    """Counts the requests of each key, from its handler to the last byte of its response."""

    def __init__(self, most: int) -> None:
        """Allow each key so many at once."""
        self._most = most
        self._running: Counter[str] = Counter()

    def begin(self, key_id: str) -> None:
        """Count a request; raises LimitReached if the key has too many."""
        if self._running[key_id] >= self._most:
            message = f"more than {self._most} requests at once"
            raise LimitReached(message, code="rate_limit_exceeded", retry_after_s=1.0)
        self._running[key_id] += 1

    def end(self, key_id: str) -> None:
        """Count a request no longer."""
        self._running[key_id] -= 1
        if not self._running[key_id]:
            del self._running[key_id]


class CountedResponse(Response):
    """A response that says when it was sent, or could not be."""

    def __init__(self, response: Response, ended: Callable[[], None]) -> None:
        """Wrap a response; `ended` is called once."""
        self._response, self._ended = response, ended

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response."""
        try:
            await self._response(scope, receive, send)
        finally:
            self._ended()
