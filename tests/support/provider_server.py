"""A server that answers as a test says, and one call to it by a provider over either transport."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from pydantic import SecretStr

from tasks.providers import Deployment, ProviderError, Reply
from tasks.providers.composite_provider import CompositeProvider
from tasks.providers.interface import Transport

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
REQUEST: Mapping[str, Any] = {"messages": [{"role": "user", "content": "2 + 2?"}], "max_tokens": 100}


@dataclass
class Served:
    """What came of a call: the reply or the error, and the bodies that the server received."""

    outcome: Reply | ProviderError
    received: list[Any] = field(default_factory=list)

    @property
    def reply(self) -> Reply:
        """The reply; an error is raised."""
        if isinstance(self.outcome, ProviderError):
            raise self.outcome
        return self.outcome

    @property
    def error(self) -> ProviderError:
        """The error; a reply fails the test."""
        assert isinstance(self.outcome, ProviderError), self.outcome
        return self.outcome

    @property
    def message(self) -> dict[str, Any]:
        """The message of the reply's first choice."""
        message: dict[str, Any] = self.reply.body["choices"][0]["message"]
        return message


def answering(content: bytes, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Handler:
    """Return a handler that sends these bytes as JSON."""

    async def handler(_: web.Request) -> web.StreamResponse:
        return web.Response(body=content, status=status, headers=headers, content_type="application/json")

    return handler


def serve(
    handler: Handler,
    request: Mapping[str, Any] = REQUEST,
    *,
    transport: Transport,
    model: str = "openai/model",
) -> Served:
    """Make one call to a server of its own, which answers with `handler`."""
    return asyncio.run(_serve(handler, request, transport, model))


async def _serve(handler: Handler, request: Mapping[str, Any], transport: Transport, model: str) -> Served:
    received: list[Any] = []

    async def recording(http: web.Request) -> web.StreamResponse:
        received.append(await http.json())
        return await handler(http)

    app = web.Application(client_max_size=2**26)
    app.router.add_route("*", "/{path:.*}", recording)
    runner, provider = web.AppRunner(app), CompositeProvider()
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        deployment = Deployment(
            "model", model, api_base=f"http://{host}:{port}/v1", api_key=SecretStr("sk-key"), timeout_s=30,
            transport=transport,
        )  # fmt: skip
        return Served(await _outcome(provider, deployment, request), received)
    finally:
        await provider.aclose()
        await runner.cleanup()


async def _outcome(
    provider: CompositeProvider, deployment: Deployment, request: Mapping[str, Any]
) -> Reply | ProviderError:
    try:
        return await provider.complete(deployment, request)
    except ProviderError as error:
        return error
