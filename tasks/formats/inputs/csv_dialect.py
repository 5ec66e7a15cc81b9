"""The delimiter of a CSV file, as the options name it or as its header shows it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath

from tasks.formats.errors import OptionsError

_NAMES = {"comma": ",", "semicolon": ";", "tab": "\t", "\\t": "\t", "pipe": "|"}
_CANDIDATES = (",", ";", "\t", "|")
_TAB_SUFFIXES = frozenset({".tsv", ".tab"})
_QUOTE = '"'


@dataclass(frozen=True, slots=True)
class Dialect:
    """The character between two cells, and whether quotes hold a cell together."""

    delimiter: str
    quotes: bool


def checked_delimiter(name: str) -> str:
    """Return the delimiter of an option's text: one character or its name; raises OptionsError."""
    delimiter = _NAMES.get(name.lower(), name)
    if len(delimiter) != 1 or delimiter in '"\r\n\0':
        raise OptionsError(f"{name!r} is no delimiter: one character, or {', '.join(_NAMES)}")
    return delimiter


def delimiter_name(delimiter: str) -> str:
    """Return what people call a delimiter."""
    return next((name for name, character in _NAMES.items() if character == delimiter), repr(delimiter))


def named_in_first_line(line: str) -> str | None:
    """Return the delimiter of a first line `sep=;`, as Excel writes and reads it; None for any other line."""
    text = line.rstrip("\r\n").strip(_QUOTE)
    return text[4] if len(text) == 5 and text[:4].lower() == "sep=" else None


def found_in_header(name: str, header: str) -> str:
    """Return the delimiter that stands most often in the header, outside of quotes; a comma if none does."""
    if _TAB_SUFFIXES & {suffix.lower() for suffix in PurePath(name).suffixes}:
        return "\t"
    outside = "".join(header.split(_QUOTE)[::2])
    return max(_CANDIDATES, key=outside.count)
