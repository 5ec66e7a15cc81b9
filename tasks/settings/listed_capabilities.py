"""The capabilities in LiteLLM's price list, read without importing LiteLLM."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from tasks.capabilities.capabilities import Capabilities
from tasks.settings.price_list import listed_entry

#: the list's flag for each kind
_FLAGS: Mapping[str, str] = MappingProxyType({
    "image": "supports_vision",
    "audio": "supports_audio_input",
    "file": "supports_pdf_input",
    "video": "supports_video_input",
    "tools": "supports_function_calling",
    "json_schema": "supports_response_schema",
    "audio_output": "supports_audio_output",
})  # fmt: skip
#: for these the list names the models that do, and says nothing of the others
_NAMED_IF_TRUE = frozenset(("image", "audio", "file", "video"))
_CHAT_MODES = ("chat", "responses")


@cache
def listed_capabilities(litellm_model: str) -> Capabilities:
    """Return what the list says of a model; nothing if LiteLLM is not installed or does not list it."""
    entry = listed_entry(litellm_model)
    if entry.get("mode") not in _CHAT_MODES:
        return Capabilities()
    return Capabilities(
        context_window=_count(entry.get("max_input_tokens")),
        max_output=_count(entry.get("max_output_tokens")),
        cannot=frozenset(kind for kind in _FLAGS if _is_denied(entry, kind)),
    )


def _is_denied(entry: Mapping[str, Any], kind: str) -> bool:
    if kind in (entry.get("supported_modalities") or ()):
        return False
    flag = entry.get(_FLAGS[kind])
    return flag is False or (flag is None and kind in _NAMED_IF_TRUE)


def _count(value: object) -> int | None:
    return int(value) if isinstance(value, int | float) and value >= 1 else None
