"""Text of others on a terminal: without the sequences that move its cursor, rename it or worse."""

import re

# Every control character but tab and line breaks; looking for one first is much faster on clean text.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
# CSI and OSC sequences whole, then what is left.
_TERMINAL = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b\]|\x9d)[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"
    rf"|{_CONTROL.pattern}"
)


def without_escapes(text: str) -> str:
    """Return the text without terminal escapes and other control characters; tabs and line breaks stay."""
    return _TERMINAL.sub("", text) if _CONTROL.search(text) else text
