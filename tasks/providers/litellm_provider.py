"""A provider that calls any deployment through LiteLLM."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from tasks.endpoints.endpoint import CHAT_PATH
from tasks.providers.adapted_messages import adapted_messages
from tasks.providers.chat_parameters import key_of
from tasks.providers.connections import Connections
from tasks.providers.error_classification import classify
from tasks.providers.errors import ProviderError
from tasks.providers.exchange import Exchange, watch
from tasks.providers.interface import OPENAI_PREFIX, Deployment, Reply
from tasks.providers.litellm_endpoints import FUNCTIONS, endpoint_arguments
from tasks.providers.litellm_parameters import LiteLLMArguments, litellm_arguments
from tasks.providers.litellm_setup import loaded_litellm, unlogged
from tasks.providers.replies.mapped import mapped_body
from tasks.providers.replies.reading import read_reply
from tasks.providers.signed_requests import needs_no_key

_VLLM_PREFIX = "hosted_vllm/"
#: parameters that LiteLLM rewrites for vLLM
_REWRITTEN = frozenset(("tools", "tool_choice", "functions", "function_call", "reasoning_effort"))


class LiteLLMProvider:
    """A provider for all deployments that LiteLLM supports; an instance serves one event loop.

    Connections are reused, redirects are not followed, and the size of replies is limited.
    """

    def __init__(self, connections: Connections | None = None) -> None:
        self._connections = connections or Connections()

    async def complete(
        self, deployment: Deployment, body: Mapping[str, Any], *, endpoint: str = CHAT_PATH
    ) -> Reply:
        """Make one call, as `Provider.complete` does."""
        session = self._connections.session()
        started = time.perf_counter()
        with watch(session, max_response_bytes=deployment.max_response_bytes) as exchange:
            answer, dropped, error = await _call(deployment, body, endpoint, exchange)
        # Raised outside of any except block: inside one, LiteLLM's error would become its context.
        if error is not None and not exchange.is_answered:
            raise error
        # An answer that only LiteLLM could not read is read here.
        reply = read_reply(
            exchange,
            deployment=deployment,
            request=body,
            latency_s=time.perf_counter() - started,
            mapped=mapped_body(answer),
            otherwise=error,
            endpoint=endpoint,
        )
        return replace(reply, dropped=dropped)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._connections.aclose()


async def _call(
    deployment: Deployment, body: Mapping[str, Any], endpoint: str, exchange: Exchange
) -> tuple[Any, tuple[str, ...], ProviderError | None]:
    """Return LiteLLM's response and the parameters that it does not send, or its sanitised error."""
    dropped: tuple[str, ...] = ()
    try:
        litellm = await loaded_litellm()
        arguments, dropped = _own_arguments(litellm, deployment, body, endpoint)
        call = getattr(litellm, FUNCTIONS[endpoint])
        with unlogged():
            async with asyncio.timeout(deployment.timeout_s):
                return await call(**arguments, **_common_arguments(deployment)), dropped, None
    except Exception as error:
        return None, dropped, classify(error, exchange, datetime.now(UTC))


def _own_arguments(
    litellm: Any, deployment: Deployment, body: Mapping[str, Any], endpoint: str
) -> LiteLLMArguments:
    """Return the arguments of a call that its body and its endpoint decide."""
    if endpoint != CHAT_PATH:
        return endpoint_arguments(deployment, body, endpoint)
    model = fastest_model_name(litellm, deployment, body)
    parameters = litellm_arguments(deployment, model, body)
    messages, left_out = adapted_messages(model, body["messages"])
    own = {
        "model": model,
        "messages": messages,
        "stream": False,
        # LiteLLM would look for tools of its proxy's gateway, which needs packages of the proxy.
        "_skip_mcp_handler": True,
    }
    dropped = tuple(sorted({*parameters.dropped, *left_out}))
    return parameters._replace(arguments={**parameters.arguments, **own}, dropped=dropped)


def _common_arguments(deployment: Deployment) -> dict[str, Any]:
    return {
        "api_base": deployment.api_base,
        "api_key": _key(deployment),
        "timeout": deployment.timeout_s,
        # Dispatch decides about retries. LiteLLM's `num_retries` must stay unset: it would override this.
        "max_retries": 0,
        # A batch goes to several models: parameters that a model does not support are left out for it.
        "drop_params": True,
    }


def _key(deployment: Deployment) -> str | None:
    """Return the key; None where there is none and the cloud's own identity signs the request."""
    is_signed = deployment.api_key is None and needs_no_key(deployment.litellm_model)
    return None if is_signed else key_of(deployment)


def fastest_model_name(litellm: Any, deployment: Deployment, body: Mapping[str, Any]) -> str:
    """Return LiteLLM's name of the model, with the provider prefix that takes the least CPU time.

    For a custom `api_base`, `hosted_vllm/` sends the same plain request as `openai/`, but without the OpenAI
    SDK, which takes a third of a call's CPU time. OpenAI's own models keep their prefix, since LiteLLM
    renames parameters for some of them.
    """
    name = deployment.litellm_model.removeprefix(OPENAI_PREFIX)
    is_compatible = deployment.api_base is not None and name != deployment.litellm_model
    is_openai_model = name.rpartition("/")[2] in litellm.open_ai_chat_completion_models
    if is_compatible and not is_openai_model and _is_plain(body):
        return f"{_VLLM_PREFIX}{name}"
    return deployment.litellm_model


def _is_plain(body: Mapping[str, Any]) -> bool:
    """Return whether the request is the same with both prefixes: only text, and nothing that is rewritten."""
    is_text = all(isinstance(message.get("content"), str) for message in body["messages"])
    return is_text and _REWRITTEN.isdisjoint(body)
