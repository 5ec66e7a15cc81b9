"""The prompts of stored requests, as the embedder and the router get them."""

from __future__ import annotations

import json
from collections.abc import Iterable

from tasks.formats.inputs.messages import checked_prompt_of


def prompts_of(bodies: Iterable[str]) -> list[str]:
    """Return the prompt of each body of a stored request."""
    return [checked_prompt_of(json.loads(body)["messages"]) for body in bodies]
