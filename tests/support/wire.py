"""What reaches a provider's server for a request, over either transport."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from tasks.providers import Deployment, Reply
from tasks.providers.composite_provider import CompositeProvider
from tasks.providers.interface import Transport

OPENAI_REPLY = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "whatever",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "four"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6},
}
QUESTION = [{"role": "user", "content": "2 + 2?"}]
ANTHROPIC_REPLY = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "whatever",
    "content": [{"type": "text", "text": "four"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 5, "output_tokens": 1},
}


def call(
    parameters: Mapping[str, Any],
    *,
    model: str = "openai/some-server",
    transport: Transport = "litellm",
    extra_params: frozenset[str] = frozenset(),
) -> tuple[dict[str, Any], Reply]:
    """The JSON that reached the server for a request with these parameters, and the reply."""
    received: list[dict[str, Any]] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        received.append(await request.json())
        return web.json_response(ANTHROPIC_REPLY if request.path.endswith("/messages") else OPENAI_REPLY)

    async def scenario() -> Reply:
        app = web.Application()
        app.router.add_post("/{path:.*}", handler)
        runner = web.AppRunner(app)
        await runner.setup()
        provider = CompositeProvider()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            host, port = runner.addresses[0][:2]
            deployment = Deployment(
                "m",
                model,
                api_base=f"http://{host}:{port}",
                timeout_s=30,
                transport=transport,
                extra_params=extra_params,
            )
            body = {"messages": QUESTION, **json.loads(json.dumps(parameters))}
            return await provider.complete(deployment, body)
        finally:
            await provider.aclose()
            await runner.cleanup()

    reply = asyncio.run(scenario())
    return received[-1], reply
