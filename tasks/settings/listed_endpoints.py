"""The endpoints that a model offers, by LiteLLM's price list, which is read without importing LiteLLM."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from tasks.endpoints.completions import COMPLETIONS
from tasks.endpoints.embeddings import EMBEDDINGS
from tasks.endpoints.endpoint import CHAT_PATH
from tasks.endpoints.moderations import MODERATIONS
from tasks.endpoints.registry import ENDPOINTS
from tasks.endpoints.responses.endpoint import RESPONSES
from tasks.settings.price_list import listed_entry

#: what models offer by their mode; LiteLLM translates responses for providers without them
_BY_MODE: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "chat": (CHAT_PATH, RESPONSES.path),
    "responses": (CHAT_PATH, RESPONSES.path),
    "completion": (CHAT_PATH, COMPLETIONS.path),
    "embedding": (EMBEDDINGS.path,),
    "moderation": (MODERATIONS.path,),
})  # fmt: skip
#: what an unknown model may offer, but hardly does: only requests that name it are sent there
UNPROVEN = frozenset((MODERATIONS.path,))
#: what else it may offer is tried
_UNKNOWN = frozenset(ENDPOINTS) - UNPROVEN


@cache
def listed_endpoints(litellm_model: str) -> frozenset[str]:
    """Return the paths of the endpoints that a model offers."""
    entry = listed_entry(litellm_model)
    if (mode := entry.get("mode")) is None:
        return _UNKNOWN
    return frozenset(_BY_MODE.get(mode, ())) | (
        ENDPOINTS.keys() & frozenset(entry.get("supported_endpoints") or ())
    )
