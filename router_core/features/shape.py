"""What a prompt looks like: a passage with a question, numbers with "how many", a formula, a program.

Each is an interaction that a linear detector cannot make of length, signs and words by itself.
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
    "long_ends_in_gap",
    "ends_in_question",
    "ends_in_gap",
    "numbers",
    "numbers_with_question",
    "asks_for_amount",
    "formula",
    "program",
)

_ENDING = 200
_LONG, _NUMBERS = 800, 8
_NUMBER = re.compile(r"\d+")
#: what is no digit becomes a blank, for ASCII, whose numbers are then counted in a third of the time
_DIGITS = bytes(byte if chr(byte).isdigit() else 32 for byte in range(128)).ljust(256)
# Searching for a few plain strings is several times as fast as a pattern of them.
_AMOUNT = ("how many", "how much", "how long", "what percent", "total", "average")
_PROGRAM = ("def ", "```", "function")
#: A sentence that stops here wants to be completed.
_GAP = ("is", "are", "that", "because", "to", "of", "by")


def shapes(texts: Sequence[str]) -> NDArray[np.float32]:
    """Return the shape of each text, float32 [n texts, len(SHAPES)], each between 0 and 1.5."""
    return np.array([_shape(text) for text in texts], dtype=np.float32).reshape(len(texts), len(SHAPES))


def _shape(text: str) -> list[float]:
    ending, lowered = text.rstrip()[-_ENDING:], text.lower()
    lowered_ending = ending.lower()
    long = min(len(text) / _LONG, 1.5)
    asks, question = float("?" in ending), float(ending.endswith("?"))
    gap = float("_" in ending[-120:] or ending.endswith(_GAP))
    numbers = min(_number_count(text), _NUMBERS) / _NUMBERS
    return [
        long,
        long * asks,
        long * question,
        long * gap,
        question,
        gap,
        numbers,
        numbers * asks,
        _holds(lowered_ending, _AMOUNT),
        float("$" in text or "\\" in text),
        _holds(lowered, _PROGRAM),
    ]


def _number_count(text: str) -> int:
    if text.isascii():
        return len(text.encode().translate(_DIGITS).split())
    return len(_NUMBER.findall(text))


def _holds(text: str, phrases: Sequence[str]) -> float:
    for phrase in phrases:  # a generator for `any` takes twice as long
        if phrase in text:
            return 1.0
    return 0.0
