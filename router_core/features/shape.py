"""Shape features: does a prompt look like a passage with a question, a calculation, a formula or a program?

They are interactions of length, signs and words, which a linear classifier cannot form by itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

SHAPES = (
    "long",
    "long_with_question",
    "long_ends_in_question",
    "long_ends_in_blank",
    "ends_in_question",
    "ends_in_blank",
    "numbers",
    "numbers_with_question",
    "asks_for_amount",
    "formula",
    "program",
)

_ENDING = 200
_LONG, _NUMBERS = 800, 8
_NUMBER = re.compile(r"\d+")
#: Maps every ASCII character but the digits to a space; numbers are then counted in a third of the time.
_DIGITS = bytes(byte if chr(byte).isdigit() else 32 for byte in range(128)).ljust(256)
# Searching for a few plain strings is several times as fast as a pattern of them.
_AMOUNT = ("how many", "how much", "how long", "what percent", "total", "average")
_PROGRAM = ("def ", "```", "function")
#: A prompt that ends in one of these, or in a blank line of underscores, is a sentence to be completed.
_UNFINISHED = ("is", "are", "that", "because", "to", "of", "by")


def shapes(texts: Sequence[str]) -> NDArray[np.float32]:
    """Return the shape of each text, float32 [n texts, len(SHAPES)], each between 0 and 1.5."""
    return np.array([_shape(text) for text in texts], dtype=np.float32).reshape(len(texts), len(SHAPES))


def _shape(text: str) -> list[float]:
    ending, lowered = text.rstrip()[-_ENDING:], text.lower()
    lowered_ending = ending.lower()
    long = min(len(text) / _LONG, 1.5)
    has_question, ends_in_question = float("?" in ending), float(ending.endswith("?"))
    ends_in_blank = float("_" in ending[-120:] or ending.endswith(_UNFINISHED))
    numbers = min(_number_count(text), _NUMBERS) / _NUMBERS
    return [
        long,
        long * has_question,
        long * ends_in_question,
        long * ends_in_blank,
        ends_in_question,
        ends_in_blank,
        numbers,
        numbers * has_question,
        _contains_any(lowered_ending, _AMOUNT),
        float("$" in text or "\\" in text),
        _contains_any(lowered, _PROGRAM),
    ]


def _number_count(text: str) -> int:
    if text.isascii():
        return len(text.encode().translate(_DIGITS).split())
    return len(_NUMBER.findall(text))


def _contains_any(text: str, phrases: Sequence[str]) -> float:
    for phrase in phrases:  # a generator for `any` takes twice as long
        if phrase in text:
            return 1.0
    return 0.0
