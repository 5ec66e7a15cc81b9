"""A provider that calls each deployment over the transport that its settings, or a request, allow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tasks.endpoints.embeddings import EMBEDDINGS
from tasks.endpoints.endpoint import CHAT_PATH
from tasks.providers.connections import Connections
from tasks.providers.direct_models import direct_model
from tasks.providers.direct_provider import DirectProvider
from tasks.providers.embedding_parts import EmbeddingParts
from tasks.providers.interface import Deployment, Provider, Reply
from tasks.providers.litellm_endpoints import needs_litellm
from tasks.providers.litellm_provider import LiteLLMProvider
from tasks.providers.plain_requests import plain_body


class CompositeProvider:
    """A provider over every transport; all of them share the connections of one event loop."""

    def __init__(self) -> None:
        self._embeddings = EmbeddingParts()
        self._connections = Connections()
        self._litellm: Provider = LiteLLMProvider(self._connections)
        self._direct: Provider = DirectProvider(self._connections)

    async def complete(
        self, deployment: Deployment, body: Mapping[str, Any], *, endpoint: str = CHAT_PATH
    ) -> Reply:
        """Make one call, as `Provider.complete` does; embeddings of many inputs are several."""
        if deployment.transport == "auto" and endpoint == CHAT_PATH:
            model = direct_model(deployment)
            plain = plain_body(body, model) if model is not None else None
            if model is not None and plain is not None:
                return await self._direct.complete(model.deployment, plain)
        is_direct = deployment.transport == "direct" or not needs_litellm(deployment, endpoint)
        provider = self._direct if is_direct else self._litellm
        if endpoint == EMBEDDINGS.path:
            return await self._embeddings.complete(provider, deployment, body)
        return await provider.complete(deployment, body, endpoint=endpoint)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._connections.aclose()
