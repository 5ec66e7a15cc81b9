"""Providers behind LiteLLM."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tasks.providers.chat_parameters import chat_parameters, key_of
from tasks.providers.connections import Connections
from tasks.providers.error_classification import classify
from tasks.providers.errors import ProviderError
from tasks.providers.exchange import Exchange, watch
from tasks.providers.interface import OPENAI_PREFIX, Endpoint, Reply
from tasks.providers.litellm_setup import import_litellm, unlogged
from tasks.providers.replies import body_of, read_reply

_COMPATIBLE = "hosted_vllm/"
#: what LiteLLM rewrites for vLLM
_REWRITTEN = frozenset(("tools", "tool_choice", "functions", "function_call", "reasoning_effort"))


class LiteLLMProvider:
    """Calls any provider that LiteLLM knows; an instance serves one event loop.

    Connections are kept and reused, redirects are not followed, and replies are bounded while they arrive.
    """

    def __init__(self, connections: Connections | None = None) -> None:
        self._connections = connections or Connections()

    async def complete(self, endpoint: Endpoint, body: Mapping[str, Any]) -> Reply:
        """Make one call, without retries; `body` is a chat completion request. Raises ProviderError."""
        litellm, session = import_litellm(), self._connections.session()
        started = time.perf_counter()
        with watch(session, max_response_bytes=endpoint.max_response_bytes) as exchange, unlogged():
            answer = await _call(litellm, endpoint, body, exchange)
        # Raised outside of any except block, where it would carry LiteLLM's error along as its context.
        if isinstance(answer, ProviderError):
            raise answer
        return read_reply(
            body_of(answer), endpoint=endpoint, request=body, latency_s=time.perf_counter() - started
        )

    async def aclose(self) -> None:
        """Close every connection."""
        await self._connections.aclose()


async def _call(litellm: Any, endpoint: Endpoint, body: Mapping[str, Any], exchange: Exchange) -> Any:
    """LiteLLM's answer, or the sanitised error for what it raised."""
    try:
        async with asyncio.timeout(endpoint.timeout_s):
            return await litellm.acompletion(**_arguments(litellm, endpoint, body))
    except Exception as error:
        return classify(error, exchange, datetime.now(UTC))


def _arguments(litellm: Any, endpoint: Endpoint, body: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **chat_parameters(body),
        "model": cheapest_name(litellm, endpoint, body),
        "api_base": endpoint.api_base,
        "api_key": key_of(endpoint),
        "timeout": endpoint.timeout_s,
        # The store decides about retries. LiteLLM's `num_retries` must stay unset: it overrides this one.
        "max_retries": 0,
        "stream": False,
        # A batch goes to several models: what one of them does not know is left out for that one.
        "drop_params": True,
    }


def cheapest_name(litellm: Any, endpoint: Endpoint, body: Mapping[str, Any]) -> str:
    """LiteLLM's name of the model, by the provider prefix that takes least processor time.

    `hosted_vllm/` posts the same plain request as `openai/` to an endpoint of one's own, but goes round the
    OpenAI SDK, which takes a third of a call's time. OpenAI's own models keep their prefix: LiteLLM knows
    which parameters they rename.
    """
    name = endpoint.litellm_model.removeprefix(OPENAI_PREFIX)
    own = endpoint.api_base is not None and name != endpoint.litellm_model
    known = name.rpartition("/")[2] in litellm.open_ai_chat_completion_models
    return f"{_COMPATIBLE}{name}" if own and not known and _is_plain(body) else endpoint.litellm_model


def _is_plain(body: Mapping[str, Any]) -> bool:
    """Return whether neither prefix changes the request: texts, and no tools, whose schemas it changes for vLLM."""
    plain = all(isinstance(message.get("content"), str) for message in body["messages"])
    return plain and _REWRITTEN.isdisjoint(body)
