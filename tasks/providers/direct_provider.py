"""A provider that calls OpenAI-compatible deployments without LiteLLM: one POST over a kept connection."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from yarl import URL

from tasks.endpoints.endpoint import CHAT_PATH
from tasks.providers.chat_parameters import chat_parameters, extra_parameters, key_of, unsent
from tasks.providers.connections import Connections, proxy_for, read_body, recording_failures
from tasks.providers.error_classification import classify, classify_status
from tasks.providers.errors import ProviderError
from tasks.providers.exchange import Exchange
from tasks.providers.interface import OPENAI_PREFIX, Deployment, Reply
from tasks.providers.replies.reading import read_reply

#: the part of an endpoint's path that `api_base` ends with
_VERSION = "/v1"
#: where moderations go whose model names no other place
_OPENAI_BASE = "https://api.openai.com/v1"
#: kept: to make an encoder for each request takes as long as a short one
_ENCODER = json.JSONEncoder(separators=(",", ":"))


class DirectProvider:
    """A provider for deployments with OpenAI's API; an instance serves one event loop.

    As with LiteLLMProvider, connections are reused, redirects are not followed, the size of replies is
    limited, and errors contain no text of a provider.
    """

    def __init__(self, connections: Connections | None = None) -> None:
        self._connections = connections or Connections()

    async def complete(
        self, deployment: Deployment, body: Mapping[str, Any], *, endpoint: str = CHAT_PATH
    ) -> Reply:
        """Make one call, as `Provider.complete` does."""
        started = time.perf_counter()
        exchange = Exchange(self._connections.session(), deployment.max_response_bytes)
        error = await _call(deployment, body, endpoint, exchange)
        # Raised outside of any except block: inside one, aiohttp's error would become its context.
        if error is not None:
            raise error
        latency_s = time.perf_counter() - started
        reply = read_reply(
            exchange, deployment=deployment, request=body, latency_s=latency_s, endpoint=endpoint
        )
        left_out = unsent(deployment, body, endpoint)
        return replace(reply, dropped=tuple(sorted(left_out))) if left_out else reply

    async def aclose(self) -> None:
        """Close every connection."""
        await self._connections.aclose()


@dataclass(frozen=True, slots=True)
class _Route:
    url: URL
    headers: Mapping[str, str]
    proxy: str | None


async def _call(
    deployment: Deployment, body: Mapping[str, Any], endpoint: str, exchange: Exchange
) -> ProviderError | None:
    """Make the call; returns the sanitised error, or None where the response is a success."""
    try:
        async with asyncio.timeout(deployment.timeout_s):
            await _post(_route(deployment, endpoint), _request(deployment, body, endpoint), exchange)
    except Exception as error:
        return classify(error, exchange, datetime.now(UTC))
    return None if exchange.is_success else classify_status(exchange, datetime.now(UTC))


async def _post(route: _Route, data: bytes, exchange: Exchange) -> None:
    exchange.begin()
    with recording_failures(exchange):
        response = await exchange.session.post(
            route.url, data=data, headers=route.headers, proxy=route.proxy, allow_redirects=False
        )
    exchange.record_response(response)
    try:
        exchange.content = await read_body(response, exchange)
    finally:
        # Closes the connection if the body was not read to its end, and keeps it otherwise.
        response.close()


def _request(deployment: Deployment, body: Mapping[str, Any], endpoint: str) -> bytes:
    model = deployment.litellm_model.removeprefix(OPENAI_PREFIX)
    sent = {**chat_parameters(body, endpoint), **extra_parameters(deployment, body), "model": model}
    return _ENCODER.encode(sent).encode()


@lru_cache(maxsize=1024)
def _route(deployment: Deployment, endpoint: str) -> _Route:
    base = deployment.api_base
    if base is None and deployment.litellm_model.startswith(OPENAI_PREFIX):
        base = _OPENAI_BASE
    if base is None:  # the key is another provider's
        raise ValueError("a direct deployment has no api_base")
    url = URL(base.rstrip("/") + endpoint.removeprefix(_VERSION))
    headers = {
        "Authorization": f"Bearer {key_of(deployment)}",
        "Content-Type": "application/json",
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "User-Agent": "waybill",
    }
    return _Route(url, headers, proxy_for(url))
