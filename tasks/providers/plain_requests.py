"""Plain requests: those that LiteLLM would send to a provider as they are, but for names of parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tasks.parameters.table import NOT_SENT
from tasks.providers.direct_models import DirectModel

_KEYS = frozenset(("role", "content"))
_PARTS = {"text": "parts", "image_url": "images"}
_FORMATS = frozenset(("text", "json_object", "json_schema"))
#: the keys of a tool's function, of which `strict` may be missing
_FUNCTION = frozenset(("name", "description", "parameters", "strict"))
_CHOICES = frozenset(("auto", "none", "required"))


def plain_body(body: Mapping[str, Any], model: DirectModel) -> dict[str, Any] | None:
    """Return the body that the direct transport sends; None if only LiteLLM can send the request."""
    given = {name: value for name, value in body.items() if value is not None and name not in NOT_SENT}
    messages = given.pop("messages", None)
    given.pop("model", None)
    if not _are_plain(messages, model.takes):
        return None
    if not all(_is_plain(name, value, model) for name, value in given.items()):
        return None
    if any(model.renames[name] in given for name in given.keys() & model.renames.keys()):
        return None
    if not given.keys().isdisjoint(model.added) or _lacks_another(given):
        return None
    named = {model.renames.get(name, name): value for name, value in given.items()}
    return {"messages": messages, **named, **model.added}


def _is_plain(name: str, value: Any, model: DirectModel) -> bool:
    if name in model.extra:
        return True
    if name not in model.takes and name not in model.renames:
        return False
    match name:
        case "tools":
            return bool(value) and all(map(_is_plain_tool, value))
        case "tool_choice":
            return value in _CHOICES if isinstance(value, str) else value.get("type") == "function"
        case "response_format":
            return value.get("type") in _FORMATS
        case "modalities":
            return bool(value == ["text"])
    return value not in ("", [], {})


def _is_plain_tool(tool: Any) -> bool:
    function = tool.get("function")
    is_function = tool.get("type") == "function" and tool.keys() == {"type", "function"}
    return (
        is_function and isinstance(function, dict) and _FUNCTION - {"strict"} <= function.keys() <= _FUNCTION
    )


def _lacks_another(given: Mapping[str, Any]) -> bool:
    """Return whether a parameter stands without the one that gives it a meaning."""
    of_tools = not given.keys().isdisjoint(("tool_choice", "parallel_tool_calls"))
    return (of_tools and "tools" not in given) or ("top_logprobs" in given and "logprobs" not in given)


def _are_plain(messages: Any, takes: frozenset[str]) -> bool:
    """Return whether a conversation is one of texts and images that a user begins and ends."""
    if not isinstance(messages, Sequence) or not messages or messages[-1].get("role") != "user":
        return False
    asked = False
    for message in messages:
        role = message.get("role")
        asked = asked or role == "user"
        if role != "user" and (role not in takes or (role != "system" and not asked)):
            return False
        if not _has_plain_keys(message, takes) or not _is_plain_content(message.get("content"), role, takes):
            return False
    return True


def _has_plain_keys(message: Mapping[str, Any], takes: frozenset[str]) -> bool:
    more = message.keys() - _KEYS
    return not more or (more == {"name"} and "name" in takes and bool(message["name"]))


def _is_plain_content(content: Any, role: str, takes: frozenset[str]) -> bool:
    if isinstance(content, str):
        return bool(content) and not content.isspace()
    if not isinstance(content, list) or role != "user" or not content:
        return False
    return all(isinstance(part, dict) and _is_plain_part(part, takes) for part in content)


def _is_plain_part(part: Mapping[str, Any], takes: frozenset[str]) -> bool:
    kind = part.get("type")
    if not isinstance(kind, str) or _PARTS.get(kind) not in takes or part.keys() != {"type", kind}:
        return False
    value = part[kind]
    if kind == "text":
        return isinstance(value, str) and bool(value) and not value.isspace()
    return isinstance(value, dict) and isinstance(value.get("url"), str) and value.keys() <= {"url", "detail"}
