"""Surface features of prompts: what an encoder blurs or, past its 256 tokens, never sees."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

#: Classes of bytes, each a feature: its share of the text.
_CLASSES = {
    "digits": b"0123456789",
    "upper_case": bytes(range(65, 91)),
    "not_ascii": bytes(range(128, 256)),
    "spaces": b" \t",
    "line_breaks": b"\n",
    "code": b"{}();_<>[]#`",
    "mathematics": b"+-*/^=\\$%|",
    "punctuation": b".,:;!?'\"",
}
FEATURES = (*_CLASSES, "log_bytes", "log_words", "log_lines", "log_options", "question_at_end")

_MEMBERSHIP = np.array([[byte in members for members in _CLASSES.values()] for byte in range(256)])
_OPTION = re.compile(r"^\s*\(?[A-Ea-e1-5][).:]\s", re.MULTILINE)
_ENDING = 400


def surface_features(texts: Sequence[str]) -> NDArray[np.float32]:
    """Return the features of each text, float32 [n texts, len(FEATURES)]."""
    rows = [_features(text) for text in texts]
    return np.array(rows, dtype=np.float32).reshape(len(rows), len(FEATURES))


def _features(text: str) -> list[float]:
    data = np.frombuffer(text.encode("utf-8", "replace"), dtype=np.uint8)
    counts = np.bincount(data, minlength=256)
    shares = (counts @ _MEMBERSHIP) / max(len(data), 1)
    words, lines = counts[32] + counts[10], counts[10]
    # The options and the question that matter stand at the end; few-shot examples fill the beginning.
    options = len(_OPTION.findall(text[-4 * _ENDING :]))
    question = float("?" in text[-_ENDING:])
    return [*shares, *np.log1p([len(data), words, lines, options]), question]
