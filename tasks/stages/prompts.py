"""The text of a stored request that embedder and router see."""

from __future__ import annotations

import json
from collections.abc import Iterable

from tasks.formats.inputs.messages import checked_prompt_of


def prompts_of(bodies: Iterable[str]) -> list[str]:
    """Return the prompts in the bodies of stored requests."""
    return [checked_prompt_of(json.loads(body)["messages"]) for body in bodies]
