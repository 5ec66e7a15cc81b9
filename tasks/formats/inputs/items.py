"""The items of an iterable in Python: texts, requests, conversations, and what is none of these."""

from __future__ import annotations

from tasks.formats.errors import LineRejected
from tasks.formats.inputs.cells import is_missing, plain_values
from tasks.formats.inputs.plain_messages import NO_PROMPT

_EXPECTED = "an item is a text, a dict like a JSON line, or a list of messages"


def item_fields(item: object, prompt_column: str | None = None) -> object:
    """Return the fields of a plain line for an item; what is no prompt is rejected, with its type.

    NaN counts as a key that is not there, but for the one of the prompt, whose reason names it.
    """
    if hasattr(item, "as_py"):  # Arrow's scalars
        item = item.as_py()
    if isinstance(item, str):
        return {"prompt": item}
    if isinstance(item, dict):
        return _request(item, prompt_column or "prompt")
    if isinstance(item, (list, tuple)) and item and all(map(_is_message, item)):
        return {"messages": list(item)}
    return LineRejected("not_an_object", _reason(item))


def _request(item: dict[str, object], prompt: str) -> object:
    if _is_message(item) and not {"prompt", "messages", "body"} & item.keys():
        reason = "is one message: a conversation is a list of messages, or a dict with messages"
        return LineRejected("missing_messages", reason)
    fields = plain_values(item)
    return {**fields, prompt: None} if prompt in item and prompt not in fields else fields


def _is_message(value: object) -> bool:
    return isinstance(value, dict) and "role" in value and ("content" in value or "tool_calls" in value)


def _reason(item: object) -> str:
    if isinstance(item, (bytes, bytearray)):
        return "is bytes: decode it to text"
    if item is None or is_missing(item):
        return NO_PROMPT
    return f"is a {type(item).__name__}: {_EXPECTED}"
