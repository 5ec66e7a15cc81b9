"""What the shapes share: texts, and conversations whose last turn is the answer that a data set teaches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from tasks.formats.errors import LineRejected
from tasks.formats.inputs.cells import is_missing

Fields = dict[str, Any]


def refuse(reason: str) -> NoReturn:
    """Reject the line for its messages."""
    raise LineRejected("invalid_messages", reason)


def required_text(record: Mapping[str, Any], key: str) -> str:
    """Return a text that the shape needs; raises LineRejected."""
    value = record.get(key)
    if not isinstance(value, str) or not value.strip():
        refuse(f"{key} is not a text")
    return value


def optional_text(record: Mapping[str, Any], key: str) -> str:
    """Return a text that may be missing, then empty; raises LineRejected for anything else."""
    value = record.get(key)
    if is_missing(value):
        return ""
    if not isinstance(value, str):
        refuse(f"{key} is not a text")
    return value


def without_answer(messages: list[Any]) -> list[Any]:
    """Return a conversation without the assistant's turns at its end: they are what the data set teaches."""
    end = len(messages)
    while end and isinstance(messages[end - 1], dict) and messages[end - 1].get("role") == "assistant":
        end -= 1
    return messages[:end] or refuse("holds no turn before the assistant's")


def check_keys(record: Mapping[str, Any], known: Iterable[str], where: str) -> None:
    """Check that nothing of another provider's request would get lost; raises LineRejected."""
    unknown = sorted(record.keys() - set(known), key=str)
    if unknown:
        name = unknown[0] if unknown[0].isidentifier() and len(unknown[0]) <= 40 else "a key"
        raise LineRejected("invalid_parameter", f"{where} holds {name}, which is not translated")
