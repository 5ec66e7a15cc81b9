"""LiteLLM's functions for other endpoints than chat completions, their arguments and their results."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from tasks.endpoints.embeddings import EMBEDDINGS
from tasks.endpoints.endpoint import Endpoint
from tasks.endpoints.moderations import MODERATIONS
from tasks.endpoints.registry import endpoint_of
from tasks.endpoints.responses.endpoint import RESPONSES
from tasks.providers.chat_parameters import chat_parameters, extra_parameters, key_of
from tasks.providers.interface import OPENAI_PREFIX, Deployment

#: moderations are missing: LiteLLM renames their categories, and its client repeats failed calls
FUNCTIONS: Mapping[str, str] = MappingProxyType({
    "/v1/completions": "atext_completion",
    "/v1/embeddings": "aembedding",
    "/v1/responses": "aresponses",
})  # fmt: skip


def needs_litellm(deployment: Deployment, path: str) -> bool:
    """Return whether LiteLLM has to translate the calls of a deployment, whose transport it is.

    A server with OpenAI's API gets every other endpoint's requests as they are, and its replies are kept as
    they are: LiteLLM would reshape them. It only has to adapt the responses of OpenAI's own models.
    """
    if path == MODERATIONS.path:
        return False
    own_server = deployment.api_base is not None and deployment.litellm_model.startswith(OPENAI_PREFIX)
    return endpoint_of(path).path not in FUNCTIONS or not own_server


def arguments(deployment: Deployment, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keyword arguments of the function."""
    given = {name: value for name, value in chat_parameters(body, path).items() if value is not None}
    return {
        **given,
        **_extra(endpoint_of(path), extra_parameters(deployment, body)),
        "model": deployment.litellm_model,
        "api_base": deployment.api_base,
        "api_key": key_of(deployment),
        "timeout": deployment.timeout_s,
        # Dispatch decides about retries. LiteLLM's `num_retries` must stay unset: it would override this.
        "max_retries": 0,
        "drop_params": True,
    }


def result_of(answer: Any, path: str) -> str:
    """Return LiteLLM's response as JSON, with the fields that the provider has set; raises AttributeError."""
    body = answer.model_dump(mode="json", exclude_unset=True, warnings=False)
    if path == RESPONSES.path:
        body = {**body, "id": _provider_id(body.get("id"))}
    return json.dumps(body)


def _extra(endpoint: Endpoint, extra: dict[str, Any]) -> dict[str, Any]:
    if endpoint is EMBEDDINGS or not extra:
        return extra
    return {"extra_body": extra}


def _provider_id(given: object) -> object:
    """Return the provider's id of a response, which LiteLLM packs into a longer one."""
    from litellm.responses.utils import ResponsesAPIRequestUtils

    if not isinstance(given, str):
        return given
    return ResponsesAPIRequestUtils.decode_responses_api_response_id(given).get("response_id") or given
