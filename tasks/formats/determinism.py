"""Whether a request gets the same answer each time, and which equal requests are answered by one call."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

#: which equal requests of a batch share one call: all, the deterministic ones, or none
Dedupe: TypeAlias = Literal["all", "deterministic", "off"]

#: the endpoints without sampling: equal requests have equal answers
_WITHOUT_SAMPLING = frozenset({"/v1/embeddings", "/v1/moderations"})


def dedupe_of(value: bool | Dedupe) -> Dedupe:
    """Return the choice that a flag stands for; other values are returned as they are."""
    if isinstance(value, bool):
        return "all" if value else "off"
    return value


def is_deterministic(request: Mapping[str, Any], endpoint: str) -> bool:
    """Return whether a request asks for the same answer each time: temperature 0, or a seed.

    Providers promise no more than to try.
    """
    if endpoint in _WITHOUT_SAMPLING:
        return True
    # An absent temperature is the provider's default, which is 1.
    return request.get("temperature") == 0 or request.get("seed") is not None


def is_deterministic_body(body: str, endpoint: str) -> bool:
    """Return the same for a stored body, which is parsed only where it may hold such a parameter."""
    may_say_so = '"temperature"' in body or '"seed"' in body
    return is_deterministic(json.loads(body) if may_say_so else {}, endpoint)
