"""The fewest and the likely number of tokens of a text, of whatever tokenizer."""

from __future__ import annotations

import re

#: Spaces, and repetitions of one character, are the only texts of which a token may hold dozens.
_SPACES = re.compile(r"(?:\s|\\[nrt])+")
_REPEATED = re.compile(r"(.)\1{3,}", re.DOTALL)
#: Single tokens of more characters are rare (0.1 % of a vocabulary, most of them names in code).
_MAX_CHARACTERS = 16
#: English has four bytes to a token, most other languages in UTF-8 three or more
_LIKELY_BYTES = 3


def least_tokens(text: str, *, no_text: int = 0) -> int:
    """Return a number of tokens that no tokenizer goes below for a text that people write.

    Args:
        text: The text.
        no_text: How many of its characters are data of an image or the like.
    """
    squeezed = _REPEATED.sub(r"\1\1\1", _SPACES.sub(" ", text))
    return max(0, len(squeezed) - no_text) // _MAX_CHARACTERS


def likely_tokens(text_bytes: int) -> int:
    """Return a number of tokens that tokenizers rarely exceed for a text of this many bytes of UTF-8."""
    return -(-text_bytes // _LIKELY_BYTES)
