"""Surface features: shares of character classes and sizes, which an embedding does not capture well.

An encoder blurs them, and does not read a prompt beyond its 256 tokens.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

#: Classes of bytes; the share of each class in the text is a feature.
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

_MEMBERSHIP = np.array(
    [[byte in members for members in _CLASSES.values()] for byte in range(256)], dtype=np.float64
)
_OPTION = re.compile(r"^\s*\(?[A-Ea-e1-5][).:]\s", re.MULTILINE)
_ENDING = 400
#: Bytes that are counted in one block, which takes eight times as many bytes of memory.
_BLOCK_BYTES = 1 << 20


def surface_features(texts: Sequence[str]) -> NDArray[np.float32]:
    """Return the features of each text, float32 [n texts, len(FEATURES)]."""
    counts = _byte_counts(texts)
    sizes, lines = counts.sum(axis=1), counts[:, 10]
    # Only those at the end count: at the beginning are often few-shot examples.
    options = [len(_OPTION.findall(text[-4 * _ENDING :])) for text in texts]
    questions = ["?" in text[-_ENDING:] for text in texts]
    shares = counts @ _MEMBERSHIP / np.maximum(sizes, 1)[:, None]
    logarithms = np.log1p(np.column_stack([sizes, counts[:, 32] + lines, lines, options]))
    return np.hstack([shares, logarithms, np.array(questions)[:, None]]).astype(np.float32)


def _byte_counts(texts: Sequence[str]) -> NDArray[np.float64]:
    """Return how often each byte occurs in the UTF-8 of each text, [n texts, 256]."""
    data = [text.encode("utf-8", "replace") for text in texts]
    counts = np.zeros((len(data), 256))
    start, size = 0, 0
    for end, encoded in enumerate(data, start=1):
        size += len(encoded)
        if size >= _BLOCK_BYTES or end == len(data):
            counts[start:end] = _block_counts(data[start:end])
            start, size = end, 0
    return counts


def _block_counts(data: Sequence[bytes]) -> NDArray[np.int64]:
    rows = np.repeat(np.arange(len(data)) * 256, [len(encoded) for encoded in data])
    values = np.frombuffer(b"".join(data), dtype=np.uint8)
    return np.bincount(rows + values, minlength=256 * len(data)).reshape(-1, 256)
