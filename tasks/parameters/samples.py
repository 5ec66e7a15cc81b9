"""Sample values: what decides whether a model takes a parameter is rarely its value.

LiteLLM is asked once for a sample instead of once for each request. Values that decide something stay as they
are (`reasoning_effort`, `service_tier` …); of numbers only whether they are the default.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

_FUNCTION = {"name": "f", "description": "f", "parameters": {"type": "object", "properties": {}}}
_SAMPLES: Mapping[str, Any] = MappingProxyType({
    "audio": {"voice": "alloy", "format": "wav"},
    "functions": [_FUNCTION],
    "logit_bias": {"1": 1},
    "prediction": {"type": "content", "content": "x"},
    "prompt_cache_key": "x",
    "safety_identifier": "x",
    "seed": 1,
    "stop": ["x"],
    "tools": [{"type": "function", "function": _FUNCTION}],
    "user": "x",
    "web_search_options": {},
})  # fmt: skip
_SCHEMA = {"name": "x", "schema": {"type": "object", "properties": {}}}
_MAX_WORD = 16


def sample_of(name: str, value: Any) -> Any:
    """Return a value that stands for all values of the parameter that a model takes, or does not, alike."""
    if name in _SAMPLES:
        return _SAMPLES[name]
    if name == "response_format":
        kind = value.get("type")
        return (
            {"type": "json_schema", "json_schema": _SCHEMA}
            if kind == "json_schema"
            else {"type": "json_object"}
        )
    if isinstance(value, bool):
        return value
    if isinstance(value, (int, float)):
        return value if value in (0, 1) else 0.5
    if isinstance(value, str):
        return value[:_MAX_WORD]
    return sorted(value) if isinstance(value, list) else {}
