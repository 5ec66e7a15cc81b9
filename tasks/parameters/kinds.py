"""What the value of a parameter may be. JSON's null is always allowed: it asks for the default."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

_MAX_TOKENS = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of value: its check, and its name for people (`a number`)."""

    name: str
    accepts: Callable[[object], bool]


def _is_number(value: object) -> bool:
    # An integer may be beyond the largest float, which `math.isfinite` cannot look at.
    return type(value) in (int, float) and abs(value) <= sys.float_info.max  # type: ignore[arg-type]


def _is_text_list(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_object_list(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


NUMBER = Kind("a number", _is_number)
WHOLE_NUMBER = Kind("a whole number", lambda value: type(value) is int)
TOKENS = Kind("a positive whole number", lambda value: type(value) is int and 0 < value <= _MAX_TOKENS)
YES_OR_NO = Kind("true or false", lambda value: isinstance(value, bool))
TEXT = Kind("a text", lambda value: isinstance(value, str))
TEXTS = Kind("a list of texts", _is_text_list)
TEXT_OR_TEXTS = Kind(
    "a text or a list of texts", lambda value: isinstance(value, str) or _is_text_list(value)
)
OBJECT = Kind("an object", lambda value: isinstance(value, dict))
OBJECTS = Kind("a list of objects", _is_object_list)
TEXT_OR_OBJECT = Kind("a text or an object", lambda value: isinstance(value, (str, dict)))
