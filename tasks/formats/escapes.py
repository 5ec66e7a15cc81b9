"""Removal of terminal escape sequences from untrusted text: they can move the cursor or rename the window.

Bidirectional controls go as well: they show text in another order than it is read (CVE-2021-42574).
"""

import re

#: embeddings, overrides and isolates of the bidirectional algorithm (UAX 9), for a character class
BIDIRECTIONAL = r"\u202a-\u202e\u2066-\u2069"
# Control characters except tab and line breaks. On clean text, a search is faster than a substitution.
_CONTROL = re.compile(rf"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f{BIDIRECTIONAL}]")
# Whole CSI and OSC sequences (ECMA-48), then single control characters.
_TERMINAL = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b\]|\x9d)[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"
    rf"|{_CONTROL.pattern}"
)


def without_escapes(text: str) -> str:
    """Return the text without escape sequences and control characters; tabs and line breaks stay."""
    return _TERMINAL.sub("", text) if _CONTROL.search(text) else text
