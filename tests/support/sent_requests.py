"""What LiteLLM sends for a request, without a network: its own code up to the session, which records."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

from pydantic import SecretStr

from tasks.providers import Deployment, ProviderError
from tasks.providers.connections import Connections
from tasks.providers.litellm_provider import LiteLLMProvider

_KEY = "sk-some-key"
_REPLY = {
    "id": "c", "object": "chat.completion", "created": 1, "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "4"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6},
}  # fmt: skip


class Sent(NamedTuple):
    """A request as it would be on the wire; `stream: false`, the default, is left out of its body."""

    url: str
    body: dict[str, Any]
    authorization: str | None


@dataclass(frozen=True)
class _Content:
    data: bytes

    async def iter_any(self) -> AsyncIterator[bytes]:
        yield self.data


class _Response:
    status = 200
    headers: Mapping[str, str] = {"content-type": "application/json"}
    raw_headers = ((b"content-type", b"application/json"),)

    def __init__(self) -> None:
        self.content = _Content(json.dumps(_REPLY).encode())

    def close(self) -> None:
        """Do nothing: there is no connection."""


class _Session:
    def __init__(self) -> None:
        self.sent: list[Sent] = []

    async def request(
        self, method: str, url: object, *, headers: list[tuple[str, str]], data: bytes, **_: object
    ) -> _Response:
        body = json.loads(data) if data else {}
        if body.get("stream") is False:
            del body["stream"]
        named = {name.lower(): value for name, value in headers}
        self.sent.append(Sent(str(url), body, named.get("authorization")))
        return _Response()


class _Recording(Connections):
    def __init__(self) -> None:
        self.recorded = _Session()

    def session(self) -> Any:
        return self.recorded


class Recorder:
    """Calls of LiteLLM, as Waybill makes them, that end in a record."""

    def __init__(self) -> None:
        self._connections = _Recording()
        self._provider = LiteLLMProvider(self._connections)
        self._loop = asyncio.new_event_loop()

    def send(
        self,
        model: str,
        body: Mapping[str, Any],
        *,
        api_base: str | None = None,
        extra_params: frozenset[str] = frozenset(),
    ) -> Sent | None:
        """Return what is sent for a body; None if it is refused, or is not one request."""
        sent = self._connections.recorded.sent
        sent.clear()
        deployment = Deployment(
            "m", model, api_base=api_base, api_key=SecretStr(_KEY), transport="litellm",
            extra_params=extra_params,
        )  # fmt: skip
        copied = json.loads(json.dumps(body))
        try:
            self._loop.run_until_complete(self._provider.complete(deployment, copied))
        except ProviderError:
            return None
        return sent[0] if len(sent) == 1 and sent[0].authorization == f"Bearer {_KEY}" else None


@contextmanager
def recording_variables() -> Iterator[set[str]]:
    """Record the environment variables that are read by name within this context."""
    read: set[str] = set()
    plain = type(os.environ)

    class Recording(plain):  # type: ignore[misc, valid-type]
        def __getitem__(self, name: str) -> str:
            if isinstance(name, str):
                read.add(name)
            return cast("str", super().__getitem__(name))

    os.environ.__class__ = Recording
    try:
        yield read
    finally:
        os.environ.__class__ = plain
