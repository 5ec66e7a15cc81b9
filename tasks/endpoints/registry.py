"""The endpoints by path."""

from __future__ import annotations

import json

from tasks.endpoints.chat import CHAT
from tasks.endpoints.completions import COMPLETIONS
from tasks.endpoints.embeddings import EMBEDDINGS
from tasks.endpoints.endpoint import Endpoint
from tasks.endpoints.moderations import MODERATIONS
from tasks.endpoints.responses.endpoint import RESPONSES

ENDPOINTS = {endpoint.path: endpoint for endpoint in (CHAT, RESPONSES, COMPLETIONS, EMBEDDINGS, MODERATIONS)}


def endpoint_of(path: str) -> Endpoint:
    """Return the endpoint of a path; raises KeyError for a path that no line could have."""
    return ENDPOINTS[path]


def stored_prompt(path: str, body: str) -> str:
    """Return the prompt in the body of a stored request."""
    return ENDPOINTS[path].prompt_of(json.loads(body))
