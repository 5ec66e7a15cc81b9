"""The parameters and the key that are sent to a provider, over any transport."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from tasks.endpoints.endpoint import CHAT_PATH
from tasks.endpoints.registry import endpoint_of
from tasks.parameters.table import NOT_SENT
from tasks.providers.interface import Deployment

#: Sent if no key is configured: LiteLLM would otherwise send one from the environment to any `api_base`.
NO_KEY = "no-key-configured"


def chat_parameters(body: Mapping[str, Any], endpoint: str = CHAT_PATH) -> dict[str, Any]:
    """Return OpenAI's parameters of a body that are sent to a provider, and the messages or other input."""
    sent = _sent(endpoint)
    return {name: value for name, value in body.items() if name in sent}


def extra_parameters(deployment: Deployment, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a body beyond OpenAI's that the deployment takes."""
    return {name: value for name, value in body.items() if name in deployment.extra_params}


def unsent(deployment: Deployment, body: Mapping[str, Any], endpoint: str = CHAT_PATH) -> set[str]:
    """Return the parameters of a body that are in no list: the settings changed after its submission."""
    return body.keys() - _sent(endpoint) - NOT_SENT - deployment.extra_params - {"model"}


@cache
def _sent(endpoint: str) -> frozenset[str]:
    value = endpoint_of(endpoint)
    return frozenset(value.parameters.keys() - NOT_SENT | {value.input_key})


def key_of(deployment: Deployment) -> str:
    """Return the key to send to the deployment, or a placeholder."""
    return deployment.api_key.get_secret_value() if deployment.api_key else NO_KEY
