"""A provider that calls each deployment over the transport that the deployment names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tasks.endpoints.embeddings import EMBEDDINGS
from tasks.endpoints.endpoint import CHAT_PATH
from tasks.providers.connections import Connections
from tasks.providers.direct_provider import DirectProvider
from tasks.providers.embedding_parts import EmbeddingParts
from tasks.providers.interface import Deployment, Provider, Reply, Transport
from tasks.providers.litellm_endpoints import needs_litellm
from tasks.providers.litellm_provider import LiteLLMProvider


class CompositeProvider:
    """A provider over every transport; all of them share the connections of one event loop."""

    def __init__(self) -> None:
        self._embeddings = EmbeddingParts()
        self._connections = Connections()
        self._providers: dict[Transport, Provider] = {
            "litellm": LiteLLMProvider(self._connections),
            "direct": DirectProvider(self._connections),
        }

    async def complete(
        self, deployment: Deployment, body: Mapping[str, Any], *, endpoint: str = CHAT_PATH
    ) -> Reply:
        """Make one call, as `Provider.complete` does; embeddings of many inputs are several."""
        is_direct = deployment.transport == "direct" or not needs_litellm(deployment, endpoint)
        provider = self._providers["direct" if is_direct else "litellm"]
        if endpoint == EMBEDDINGS.path:
            return await self._embeddings.complete(provider, deployment, body)
        return await provider.complete(deployment, body, endpoint=endpoint)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._connections.aclose()
