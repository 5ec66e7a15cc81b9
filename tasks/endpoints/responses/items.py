"""The items of a request's `input`, and what they say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeAlias

from tasks.formats.errors import LineRejected
from tasks.formats.inputs.parameters import quoted_name

Item: TypeAlias = Mapping[str, Any]

_ROLES = frozenset({"assistant", "developer", "system", "user"})
_TEXT_PARTS = MappingProxyType({"input_text": "text", "output_text": "text", "refusal": "refusal"})
#: where a part that is no text holds its content, or says where it is
_MEDIA: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "input_file": ("file_data", "file_url", "file_id"),
    "input_image": ("image_url", "file_id"),
})  # fmt: skip
_URLS = ("https://", "http://", "data:")
#: the keys of an item that must hold text, by the item's type; what a provider keeps is no item for a batch
_TEXT_KEYS: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "function_call": ("call_id", "name", "arguments"),
    "function_call_output": ("call_id",),
    "custom_tool_call": ("call_id", "name", "input"),
    "custom_tool_call_output": ("call_id",),
    "reasoning": (),
})  # fmt: skip
_OUTPUTS = frozenset({"function_call_output", "custom_tool_call_output"})


def check_items(given: object) -> Sequence[Item]:
    """Return the items of a request's `input`; text counts as one user message. Raises LineRejected."""
    if isinstance(given, str):
        return (user_message(given),)
    if not isinstance(given, list) or not given:
        raise LineRejected("invalid_input", "input is neither text nor a list of items")
    for number, item in enumerate(given, start=1):
        if problem := _problem(item):
            raise LineRejected("invalid_input", f"item {number} of the input: {problem}")
    return given


def checked_items(given: Any) -> Sequence[Item]:
    """Return what `check_items` does, without checking."""
    return (user_message(given),) if isinstance(given, str) else given


def user_message(text: str) -> Item:
    """Return the item of a text."""
    return {"role": "user", "content": text}


def text_of(item: Item) -> str:
    """Return the text of an item, without its images."""
    content = item.get("output", item.get("content"))
    if isinstance(content, str):
        return content
    keyed = [(part, _TEXT_PARTS.get(part["type"])) for part in _parts(content)]
    return "\n".join(part[key] for part, key in keyed if key is not None and isinstance(part.get(key), str))


def has_media(item: Item) -> bool:
    """Return whether an item holds an image or a file."""
    return any(part["type"] in _MEDIA for part in _parts(item.get("content")))


def _parts(content: object) -> list[Item]:
    """Return the parts of a content; only those of messages and of outputs have been checked."""
    parts = content if isinstance(content, list) else []
    return [part for part in parts if isinstance(part, dict) and isinstance(part.get("type"), str)]


def _problem(item: object) -> str | None:
    if not isinstance(item, dict):
        return "is not an object"
    kind = item.get("type", "message")
    if kind == "message":
        return _problem_of_message(item)
    if not isinstance(kind, str) or kind not in _TEXT_KEYS:
        return f"the type {quoted_name(kind)} is not supported in a batch"
    missing = [key for key in _TEXT_KEYS[kind] if not isinstance(item.get(key), str)]
    if missing:
        return f"{missing[0]} is not text"
    return _problem_of_content(item.get("output")) if kind in _OUTPUTS else None


def _problem_of_message(item: Item) -> str | None:
    role = item.get("role")
    if not isinstance(role, str) or role not in _ROLES:
        return f"role is not one of {', '.join(sorted(_ROLES))}"
    return _problem_of_content(item.get("content"))


def _problem_of_content(content: object) -> str | None:
    if isinstance(content, str):
        return None
    if isinstance(content, list) and content and all(map(_is_part, content)):
        return None
    return "its content is neither text nor a list of input_text, input_image and input_file parts"


def _is_part(part: object) -> bool:
    if not isinstance(part, dict):
        return False
    kind = part.get("type")
    if isinstance(kind, str) and kind in _TEXT_PARTS:
        return isinstance(part.get(_TEXT_PARTS[kind]), str)
    url = part.get("image_url")
    if kind == "input_image" and url is not None:
        return isinstance(url, str) and url.startswith(_URLS)
    keys = _MEDIA.get(kind, ()) if isinstance(kind, str) else ()
    return any(isinstance(part.get(key), str) and part[key] for key in keys)
