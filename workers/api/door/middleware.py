"""The outermost layer: request ids, time limits, the log, and a response to whatever goes wrong."""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from workers.api.errors.responses import failed

logger = logging.getLogger("workers.api")

#: where a request's state holds what answers in place of `failed`, such as a page for a browser
FAILED = "failed"
#: the bytes of all headers
MAX_HEADERS = 32 << 10
#: what the log shows of a path and a method: a client may put anything there, a key or a line of its own, too
_ID = re.compile(r"(?:batch|file|upload)[_-][0-9a-f]{1,32}")
_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
_MAX_PATH = 2_048
_MAX_QUERY = 4_096


class SlowClient(Exception):
    """A client that neither sends nor reads for too long."""


@dataclass(slots=True)
class _Exchange:
    """What is known of a request so far, for the log: never a body, a header or a query."""

    scope: Scope
    request_id: str
    began: float = field(default_factory=time.monotonic)
    status: int = 0
    started: bool = False

    def log(self) -> None:
        route = self.scope.get("route")
        path = getattr(route, "path", "-")
        given = self.scope.get("path_params", {}).items()
        ids = " ".join(f"{name}={value}" for name, value in given if _ID.fullmatch(value))
        method = self.scope["method"] if self.scope["method"] in _METHODS else "-"
        key = self.scope["state"].get("key_id", "-")
        took_ms = (time.monotonic() - self.began) * 1000
        logger.info(
            "%s %s %s %s %d %.0f ms %s",
            self.request_id, key, method, path, self.status, took_ms, ids,
        )  # fmt: skip


Answer = Callable[[int, str], Response]


def asks_for_page(scope: Scope) -> bool:
    """Return whether a browser shows the response to a person: it asks for HTML, and not for the API."""
    is_html = "text/html" in Headers(scope=scope).get("accept", "")
    return is_html and not scope["path"].startswith("/v1/")


class Door:
    """Wraps the application; it answers by itself what is refused or goes wrong."""

    def __init__(self, app: ASGIApp, *, patience_s: float, max_requests: int, page: Answer = failed) -> None:
        """Wrap an application.

        Args:
            app: The application.
            patience_s: Seconds to wait for each piece that a client sends or reads.
            max_requests: Requests at once; others are told to come back.
            page: Makes the response to a browser of a status and a message.
        """
        self._app, self._patience_s, self._max, self._page = app, patience_s, max_requests, page
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, f"req_{secrets.token_hex(16)}")
        scope.setdefault("state", {})["request_id"] = exchange.request_id
        scope["app"] = self  # with it, Starlette's router raises its errors, which then get our shape
        self._running += 1
        try:
            await self._handle(exchange, self._patient_receive(receive), self._patient_send(send, exchange))
        finally:
            self._running -= 1
            exchange.log()

    async def _handle(self, exchange: _Exchange, receive: Receive, send: Send) -> None:
        scope = exchange.scope
        try:
            await (self._refusal(scope) or self._app)(scope, receive, send)
            return
        except ClientDisconnect:
            return
        except SlowClient:
            problem = 408, "the client was too slow"
        except (DBAPIError, PoolTimeout) as error:
            logger.warning("%s: the store is away: %s", exchange.request_id, type(error).__name__)
            problem = 503, "the store cannot be reached"
        except OSError as error:
            logger.warning("%s: the file storage fails: %s", exchange.request_id, error.strerror)
            problem = 503, "the file storage cannot be used"
        except Exception as error:
            logger.error("%s: %s at %s", exchange.request_id, type(error).__name__, _place_of(error))
            problem = 500, "an error of the server"
        if not exchange.started:
            answer = scope["state"].get(FAILED) or self._answer_of(scope)
            await answer(*problem)(scope, receive, send)

    def _answer_of(self, scope: Scope) -> Answer:
        return self._page if asks_for_page(scope) else failed

    def _refusal(self, scope: Scope) -> Response | None:
        """Return the response to a request that is not looked at any further."""
        answer = self._answer_of(scope)
        if len(scope["raw_path"]) > _MAX_PATH or len(scope["query_string"]) > _MAX_QUERY:
            return answer(414, "the path or the query is too long")
        if b"%00" in scope["raw_path"] or b"%00" in scope["query_string"]:
            return answer(400, "the path or the query holds a NUL character")
        if sum(len(name) + len(value) for name, value in scope["headers"]) > MAX_HEADERS:
            return answer(431, "the headers are too long")
        return answer(503, "too many requests at once") if self._running > self._max else None

    def _patient_receive(self, receive: Receive) -> Receive:
        is_whole = False

        async def patient() -> Message:
            nonlocal is_whole
            # After the body, the only thing to come is the end of the connection.
            try:
                message = await asyncio.wait_for(receive(), None if is_whole else self._patience_s)
            except TimeoutError:
                raise SlowClient from None
            is_whole = is_whole or not message.get("more_body", False)
            return message

        return patient

    def _patient_send(self, send: Send, exchange: _Exchange) -> Send:
        async def patient(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.started, exchange.status = True, message["status"]
                added = [
                    (b"x-request-id", exchange.request_id.encode()),
                    (b"x-content-type-options", b"nosniff"),
                ]
                message = {**message, "headers": [*message.get("headers", []), *added]}
            try:
                await asyncio.wait_for(send(message), self._patience_s)
            except TimeoutError:
                raise SlowClient from None

        return patient


def _place_of(error: Exception) -> str:
    """Return where an error was raised; its text may hold what no log may."""
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    return " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames))
