"""Providers behind LiteLLM."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import aiohttp

from tasks.providers.classify import classify
from tasks.providers.errors import ProviderError
from tasks.providers.exchange import Exchange, watch
from tasks.providers.importing import import_litellm
from tasks.providers.replies import read_reply
from tasks.providers.transport import open_session
from tasks.providers.values import Endpoint, Reply

#: What a request's body may set. Anything else is not sent: LiteLLM takes its own options (`api_base`,
#: `mock_response`, `fallbacks`, `num_retries` …) from the same place, and those belong to the operator.
CHAT_PARAMETERS = frozenset(
    (
        "frequency_penalty", "function_call", "functions", "logit_bias", "logprobs", "max_completion_tokens",
        "max_tokens", "messages", "n", "parallel_tool_calls", "presence_penalty", "reasoning_effort",
        "response_format", "seed", "stop", "temperature", "tool_choice", "tools", "top_logprobs", "top_p",
        "user", "verbosity",
    )
)  # fmt: skip
#: Sent where no key is configured: LiteLLM would otherwise take one from the environment, to any base.
NO_KEY = "no-key-configured"


class LiteLLMProvider:
    """Calls any provider that LiteLLM knows; an instance serves one event loop.

    Connections are kept and reused, redirects are not followed, and replies are bounded while they arrive.
    """

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def complete(self, endpoint: Endpoint, body: Mapping[str, Any]) -> Reply:
        """Make one call, without retries; `body` is a chat completion request. Raises ProviderError."""
        litellm, session = import_litellm(), self._open_session()
        started = time.perf_counter()
        with watch(session, max_response_bytes=endpoint.max_response_bytes) as exchange:
            answer = await _call(litellm, endpoint, body, exchange)
        # Raised outside of any except block, where it would carry LiteLLM's error along as its context.
        if isinstance(answer, ProviderError):
            raise answer
        return read_reply(answer, endpoint=endpoint, request=body, latency_s=time.perf_counter() - started)

    async def aclose(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open_session(self) -> aiohttp.ClientSession:
        # Here and not in __init__: connections belong to the running loop.
        if self._session is None:
            self._session = open_session()
        return self._session


async def _call(litellm: Any, endpoint: Endpoint, body: Mapping[str, Any], exchange: Exchange) -> Any:
    """LiteLLM's answer, or the sanitised error for what it raised."""
    try:
        async with asyncio.timeout(endpoint.timeout_s):
            return await litellm.acompletion(**_arguments(endpoint, body))
    except Exception as error:
        return classify(error, exchange, datetime.now(UTC))


def _arguments(endpoint: Endpoint, body: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **{name: value for name, value in body.items() if name in CHAT_PARAMETERS},
        "model": endpoint.litellm_model,
        "api_base": endpoint.api_base,
        "api_key": endpoint.api_key.get_secret_value() if endpoint.api_key else NO_KEY,
        "timeout": endpoint.timeout_s,
        # The store decides about retries. LiteLLM's `num_retries` must stay unset: it overrides this one.
        "max_retries": 0,
        "stream": False,
        # A batch goes to several models: what one of them does not know is left out for that one.
        "drop_params": True,
    }
