"""A server that answers as a test says, and one call to it by a provider over either transport."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from pydantic import SecretStr

from tasks.providers import Deployment
from tasks.providers.interface import Transport
from tests.support.provider_calls import Called, opened, outcome_of

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
REQUEST: Mapping[str, Any] = {"messages": [{"role": "user", "content": "2 + 2?"}], "max_tokens": 100}
COMPLETION: Mapping[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "whatever",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "four"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6},
}


@dataclass(frozen=True)
class Served(Called):
    """What came of a call, and the bodies that the server received."""

    received: list[Any]


#: `serve` over one of the transports
Call = Callable[..., Served]


def answering(body: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Handler:
    """Return a handler that sends bytes and texts as they are, anything else as JSON."""
    content = body if isinstance(body, str | bytes) else json.dumps(body)

    async def handler(_: web.Request) -> web.StreamResponse:
        return web.Response(body=content, status=status, headers=headers, content_type="application/json")

    return handler


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    """Answer every path with `handler`; yields an `api_base`."""
    app = web.Application(client_max_size=2**26)
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}/v1"
    finally:
        await runner.cleanup()


def serve(
    handler: Handler,
    request: Mapping[str, Any] = REQUEST,
    *,
    transport: Transport,
    model: str = "openai/model",
    key: str | None = "sk-key",
    times: int = 1,
    **options: Any,
) -> Served:
    """Make a call, or several, to a server of its own that answers with `handler`; returns the last one.

    Args:
        handler: What answers.
        request: The body of the request.
        transport: How the server is called.
        model: LiteLLM's name of the model.
        key: The deployment's key.
        times: How many calls to make, one after the other.
        **options: Other fields of the deployment.
    """
    received: list[Any] = []

    async def recording(http: web.Request) -> web.StreamResponse:
        received.append(await http.json())
        return await handler(http)

    async def scenario() -> Served:
        async with serving(recording) as base, opened() as provider:
            values = {"api_base": base, "timeout_s": 30, "transport": transport, **options}
            deployment = Deployment("model", model, api_key=SecretStr(key) if key else None, **values)
            outcomes = [await outcome_of(provider, deployment, request) for _ in range(times)]
            return Served(outcomes[-1], received)

    return asyncio.run(scenario())
