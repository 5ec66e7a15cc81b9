"""The parameters and the key that are sent to a provider, over any transport."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tasks.parameters import CHAT_PARAMETERS
from tasks.parameters.table import NOT_SENT
from tasks.providers.interface import Deployment

#: Sent if no key is configured: LiteLLM would otherwise send one from the environment to any `api_base`.
NO_KEY = "no-key-configured"
_SENT = CHAT_PARAMETERS.keys() - NOT_SENT | {"messages"}


def chat_parameters(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return OpenAI's parameters of a body that are sent to a provider, and the messages."""
    return {name: value for name, value in body.items() if name in _SENT}


def extra_parameters(deployment: Deployment, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a body beyond OpenAI's that the deployment takes."""
    return {name: value for name, value in body.items() if name in deployment.extra_params}


def unsent(deployment: Deployment, body: Mapping[str, Any]) -> set[str]:
    """Return the parameters of a body that are in no list: the settings changed after its submission."""
    return body.keys() - _SENT - NOT_SENT - deployment.extra_params - {"model"}


def key_of(deployment: Deployment) -> str:
    """Return the key to send to the deployment, or a placeholder."""
    return deployment.api_key.get_secret_value() if deployment.api_key else NO_KEY
