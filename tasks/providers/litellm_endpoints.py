"""LiteLLM's function of each endpoint, and the arguments of those beside chat completions."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from tasks.endpoints.embeddings import EMBEDDINGS
from tasks.endpoints.endpoint import CHAT_PATH
from tasks.providers.chat_parameters import chat_parameters, extra_parameters, unsent
from tasks.providers.interface import OPENAI_PREFIX, Deployment
from tasks.providers.litellm_parameters import LiteLLMArguments

#: Moderations are missing: LiteLLM renames their categories, and its client repeats failed calls.
FUNCTIONS: Mapping[str, str] = MappingProxyType({
    CHAT_PATH: "acompletion",
    "/v1/completions": "atext_completion",
    "/v1/embeddings": "aembedding",
    "/v1/responses": "aresponses",
})  # fmt: skip
#: the providers for which OpenAI's client makes the call, which would ask for vectors as Base64
_OPENAI_CLIENTS = (OPENAI_PREFIX, "azure/")


def needs_litellm(deployment: Deployment, endpoint: str) -> bool:
    """Return whether LiteLLM has to adapt the calls of a deployment, whose transport it is.

    A server of the operator with OpenAI's API gets the requests of all endpoints but chat completions as they
    are: LiteLLM would only add fields. OpenAI's own models need it, since it knows what each of them refuses.
    """
    own_server = deployment.api_base is not None and deployment.litellm_model.startswith(OPENAI_PREFIX)
    return endpoint == CHAT_PATH or (endpoint in FUNCTIONS and not own_server)


def endpoint_arguments(deployment: Deployment, body: Mapping[str, Any], endpoint: str) -> LiteLLMArguments:
    """Return the arguments of the function of an endpoint, for a body."""
    given = {name: value for name, value in chat_parameters(body, endpoint).items() if value is not None}
    extra = extra_parameters(deployment, body)
    arguments = {**given, "model": deployment.litellm_model}
    if endpoint != EMBEDDINGS.path:
        arguments |= {"extra_body": extra} if extra else {}
    elif deployment.litellm_model.startswith(_OPENAI_CLIENTS):
        arguments = {"encoding_format": "float", **arguments, **extra}
    else:
        arguments |= extra
    return LiteLLMArguments(arguments, tuple(sorted(unsent(deployment, body, endpoint))))
