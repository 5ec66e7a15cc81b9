"""The prompts of stored requests, as the embedder and the router get them."""

from __future__ import annotations

from collections.abc import Iterable

from tasks.endpoints.registry import stored_prompt


def prompts_of(bodies: Iterable[tuple[str, str]]) -> list[str]:
    """Return the prompt of each (endpoint, body) of a stored request."""
    return [stored_prompt(endpoint, body) for endpoint, body in bodies]
