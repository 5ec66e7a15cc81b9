"""Prompts that are filled in from a line's columns: `Translate: {text}`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from string import Formatter
from typing import Any

from tasks.formats.errors import LineRejected, OptionsError
from tasks.formats.inputs.cells import is_missing
from tasks.formats.inputs.names import listed


@dataclass(frozen=True, slots=True)
class Template:
    """A text with placeholders: pairs of a literal text and the name of the column that follows it."""

    parts: tuple[tuple[str, str | None], ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that it needs, each once."""
        return tuple(dict.fromkeys(name for _, name in self.parts if name is not None))

    def filled(self, record: Mapping[str, Any]) -> str:
        """Return the text for one line; raises LineRejected if a column is missing or empty."""
        return "".join(literal + self._value(record, name) for literal, name in self.parts)

    def _value(self, record: Mapping[str, Any], name: str | None) -> str:
        if name is None:
            return ""
        value = record.get(name)
        if not is_missing(value):
            return _text(value)
        if name in record:
            raise LineRejected("missing_column", f"{name!r}, which the template needs, is empty")
        raise LineRejected("missing_column", f"no {name!r} for the template; it has {listed(record)}")


def parse_template(text: str) -> Template:
    """Return the template of a text; braces that are meant as such are doubled.

    Raises:
        OptionsError: A brace is open, a placeholder is more than a name, or there is none.
    """
    try:
        fields = list(Formatter().parse(text))
    except ValueError as error:
        raise OptionsError(f"the template is not valid: {error}; a literal brace is doubled") from None
    if any(spec or conversion for _, _, spec, conversion in fields):
        raise OptionsError("a placeholder of the template is a name only: {column}; double a literal brace")
    if any(name == "" for _, name, _, _ in fields):
        raise OptionsError("a placeholder of the template names no column: {}")
    template = Template(tuple((literal, name) for literal, name, _, _ in fields))
    if not template.names:
        raise OptionsError("the template has no placeholder: every prompt would be the same")
    return template


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, (dict, list, bool)):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)
