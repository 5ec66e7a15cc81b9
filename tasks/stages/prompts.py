"""The text of a stored request that embedder and router see."""

from __future__ import annotations

import json
from collections.abc import Iterable

from tasks.formats.inputs.messages import prompt_of
from tasks.store.values import HeldRequest


def prompts_of(requests: Iterable[HeldRequest]) -> list[str]:
    """The prompts of these requests."""
    return [prompt_of(json.loads(request.body)["messages"]) for request in requests]
