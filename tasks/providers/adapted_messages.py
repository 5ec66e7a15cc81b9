"""Conversations in a form that a provider takes where LiteLLM does not see to it.

- Anthropic, Bedrock and Mistral answer no system messages without a user's: the last one becomes a user's.
- Mistral's ids of tool calls have nine letters or digits: those of other providers get one of that form.
- For a message marked with `cache_control`, LiteLLM makes a cache at Gemini by a call of its own, which
  nobody ledgers: the mark is left out, and that is said.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

_Message = Mapping[str, Any]
_NEEDS_A_USER = frozenset(("anthropic", "bedrock", "mistral"))
_MAKES_CACHES = frozenset(("gemini", "vertex_ai", "vertex_ai_beta"))
_SYSTEM = frozenset(("system", "developer"))
_MARK = "cache_control"
_MISTRAL_ID = re.compile(r"[A-Za-z0-9]{9}")


def adapted_messages(model: str, messages: Sequence[_Message]) -> tuple[list[_Message], tuple[str, ...]]:
    """Return the messages for LiteLLM's model string, and the names of what was left out of them."""
    provider = model.partition("/")[0]
    adapted = list(messages)
    if provider in _NEEDS_A_USER and all(message.get("role") in _SYSTEM for message in adapted):
        adapted[-1] = {**adapted[-1], "role": "user"}
    if provider == "mistral":
        adapted = [_with_short_ids(message) for message in adapted]
    if provider in _MAKES_CACHES:
        adapted = [_without_marks(message) for message in adapted]
    return adapted, (_MARK,) if adapted != list(messages) and provider in _MAKES_CACHES else ()


def _without_marks(message: _Message) -> _Message:
    kept = {name: value for name, value in message.items() if name != _MARK}
    content = kept.get("content")
    if isinstance(content, list):
        kept["content"] = [_unmarked(part) for part in content]
    return kept


def _unmarked(part: Any) -> Any:
    return {name: value for name, value in part.items() if name != _MARK} if isinstance(part, dict) else part


def _with_short_ids(message: _Message) -> _Message:
    calls = message.get("tool_calls")
    changed = dict(message)
    if isinstance(calls, list):
        changed["tool_calls"] = [{**call, "id": _short(call.get("id"))} for call in calls]
    if "tool_call_id" in message:
        changed["tool_call_id"] = _short(message["tool_call_id"])
    return changed


def _short(call_id: Any) -> Any:
    """Return the id, or nine digits that are the same for the same id."""
    if not isinstance(call_id, str) or _MISTRAL_ID.fullmatch(call_id):
        return call_id
    return blake2b(call_id.encode(errors="replace"), digest_size=5).hexdigest()[:9]
