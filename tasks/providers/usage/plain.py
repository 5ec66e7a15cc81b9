"""The usage block of most replies: OpenAI's totals, and no other count above 0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeGuard

from router_core.pricing import Usage
from tasks.providers.usage.numbers import MAX_COUNT

_DETAILS = ("prompt_tokens_details", "completion_tokens_details")
_PLAIN = frozenset(("prompt_tokens", "completion_tokens", "total_tokens", *_DETAILS))
#: the parts of a reply that may show searches
_SEARCHED = ("candidates", "output")


def plain_usage(
    body: Mapping[str, Any], figures: Mapping[str, Any], *, limit: int | None, tier: str | None
) -> Usage | None:
    """Return the usage in a plain block; None for any other, which the readers of shapes understand.

    They return the same for a plain one, but take ten times as long, and every call has one to be read.
    """
    prompt, completion = figures.get("prompt_tokens"), figures.get("completion_tokens")
    if not (_is_count(prompt) and _is_count(completion) and _is_count(prompt + completion)):
        return None
    if figures.get("total_tokens") != prompt + completion:
        return None
    if not figures.keys() <= _PLAIN or not all(_is_empty(figures.get(name)) for name in _DETAILS):
        return None
    if (limit is not None and completion > limit) or any(name in body for name in _SEARCHED):
        return None
    return Usage(input=prompt, output=completion, tier=tier)


def _is_count(value: object) -> TypeGuard[int]:
    return type(value) is int and 0 < value <= MAX_COUNT


def _is_empty(details: object) -> bool:
    """Return whether details name no count but 0."""
    if not isinstance(details, dict):
        return True
    return all(count is None or (type(count) is int and count == 0) for count in details.values())
