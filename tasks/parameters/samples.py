"""Sample values: what decides whether a model takes a parameter is rarely its value.

LiteLLM is asked once for a sample instead of once for each request. Values that decide something stay as they
are (`reasoning_effort`, `service_tier` …); of numbers only whether they are the default.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from tasks.parameters.table import CHAT_PARAMETERS

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
    "top_logprobs": 1,
    "user": "x",
    "web_search_options": {},
})  # fmt: skip
_SCHEMA = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}
_OBJECTS: Mapping[str, Any] = MappingProxyType({
    "function_call": {"name": "f"},
    "tool_choice": {"type": "function", "function": {"name": "f"}},
})  # fmt: skip
_WORD = re.compile(r"[a-z0-9_.-]{1,16}")
#: every model takes them, under some name, and nobody streams
_ALWAYS_TAKEN = frozenset(("max_completion_tokens", "max_tokens", "n", "stream"))


def samples_of(parameters: Mapping[str, Any]) -> str:
    """Return samples of the parameters that not every model takes (JSON); empty if there are none.

    It is equal for requests that a model treats alike, and holds nothing of a user's.
    """
    samples = {
        name: sample_of(name, value)
        for name, value in parameters.items()
        if value is not None and name in CHAT_PARAMETERS and name not in _ALWAYS_TAKEN
    }
    return json.dumps(samples, sort_keys=True) if samples else ""


def sample_of(name: str, value: Any) -> Any:
    """Return a value that stands for all values of the parameter that a model takes, or does not, alike."""
    if name in _SAMPLES:
        return _SAMPLES[name]
    if name == "response_format":
        return _SCHEMA if value.get("type") == "json_schema" else {"type": "json_object"}
    if isinstance(value, bool):
        return value
    if isinstance(value, (int, float)):
        return value if value in (0, 1) else 0.5
    if isinstance(value, str):
        return value if _WORD.fullmatch(value) else "x"
    if isinstance(value, list):
        return sorted(item for item in value if isinstance(item, str) and _WORD.fullmatch(item))
    return _OBJECTS.get(name, {})
