"""What is read of a prompt: its embedding, its surface and shape, and the words at its edges.

An instruction stands at the beginning or at the end of a prompt, whatever document lies between; an encoder
blurs it and, past its 256 tokens, never sees it.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from router_core.features.shape import shapes
from router_core.features.surface import FEATURES, surface_features

Array = NDArray[np.float32]

#: Columns that words are hashed to.
BUCKETS = 2048
#: Characters of each edge that are read.
EDGE = 160
#: Weight of the words, together of length 1, beside an embedding of length 1.
_WORD_WEIGHT = 1.5
_STEM = 5
#: Words whose columns are remembered.
_KNOWN = 1 << 15
#: A character of a script that is written without spaces, a word, a number or a sign.
_WORD = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7a3]|[^\W\d_]+|\d+|[^\w\s]")
#: The same in a text of ASCII, where it is found in half the time.
_ASCII_WORD = re.compile(r"[A-Za-z]+|[0-9]+|[^A-Za-z0-9_\s]")
_LOGARITHMS = np.array([name.startswith("log_") for name in FEATURES])


@dataclass(frozen=True)
class PromptFeatures:
    """What is read of each prompt: vectors [n, d], surface features [n, s], shapes and words [n, BUCKETS].

    Nothing in it is learnt: the same prompt and vector give the same reading anywhere.
    """

    vectors: Array
    surface: Array
    shapes: Array
    words: Array

    @classmethod
    def of(cls, vectors: Array, texts: Sequence[str]) -> PromptFeatures:
        """Read prompts [n] with their vectors [n, d]; vectors travel as float16."""
        return cls(vectors.astype(np.float32), surface_features(texts), shapes(texts), _words(texts))

    def category_inputs(self) -> Array:
        """Return the clues to each prompt's category, float32 [n, d + features + shapes + BUCKETS]."""
        # Shares are mostly small and logarithms go up to 12: both are brought to the size of an embedding.
        surface = np.where(_LOGARITHMS, self.surface / 6, np.sqrt(self.surface))
        return np.hstack([self.vectors, surface, self.shapes, _WORD_WEIGHT * self.words])


def _words(texts: Sequence[str]) -> Array:
    """Return which words each text has at its edges, hashed, rows of length 1."""
    columns = [edge_columns(text) for text in texts]
    rows = np.repeat(np.arange(len(texts)), [len(own) for own in columns])
    table = np.zeros((len(texts), BUCKETS), dtype=np.float32)
    places = rows, np.fromiter(chain.from_iterable(columns), dtype=np.int64, count=len(rows))
    table[places] = 1
    table[places] = (1 / np.maximum(np.sqrt(table.sum(axis=1)), 1))[rows]
    return table


def edge_columns(text: str) -> list[int]:
    """Return the columns of the words at a text's edges, of their stems, and of how it begins and ends."""
    edges = [text] if len(text) <= 2 * EDGE else [text[:EDGE], text[-EDGE:]]
    words = [(_ASCII_WORD if edge.isascii() else _WORD).findall(edge) for edge in edges]
    columns = list(chain.from_iterable(map(_columns_of, chain.from_iterable(words))))
    columns += _columns_of_begin(*words[0][:2])
    columns += _columns_of_end(*words[-1][-2:])
    return columns


# Most words of a language are met again and again.


@lru_cache(maxsize=_KNOWN)
def _columns_of(word: str) -> tuple[int, ...]:
    """Return the columns of a word and of its stem."""
    normal = _normal(word)
    stem = (f"{normal[:_STEM]}*",) if len(normal) > _STEM else ()
    return tuple(column(one) for one in (normal, *stem))


@lru_cache(maxsize=_KNOWN)
def _columns_of_begin(*words: str) -> tuple[int, ...]:
    normal = [_normal(word) for word in words]
    return tuple(column(f"^{' '.join(normal[:count])}") for count in (1, 2))


@lru_cache(maxsize=_KNOWN)
def _columns_of_end(*words: str) -> tuple[int, ...]:
    normal = [_normal(word) for word in words]
    return tuple(column(f"${' '.join(normal[-count:])}") for count in (1, 2))


def _normal(word: str) -> str:
    return "0" if word.isdigit() else word.lower()


def column(word: str) -> int:
    """Return the column that a word is hashed to."""
    return zlib.crc32(word.encode("utf-8", "replace")) % BUCKETS
