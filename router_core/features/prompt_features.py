"""The features of a prompt: its embedding, surface and shape features, and the words at its edges.

The instruction is usually at the beginning or at the end of a prompt, with a document between. An embedding
blurs it, and leaves it out beyond the 256 tokens that the encoder reads. So the words at both edges are
features of their own, by feature hashing.
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

#: The number of columns that words are hashed to.
BUCKETS = 2048
#: The number of characters of each edge.
EDGE = 160
#: The weight of the word features, a vector of length 1, beside the embedding, a vector of length 1.
_WORD_WEIGHT = 1.5
_STEM = 5
#: The number of words whose columns are cached: most words of a language occur again and again.
_CACHED_WORDS = 1 << 15
#: A character of a script that is written without spaces, a word, a number, or a sign.
_WORD = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7a3]|[^\W\d_]+|\d+|[^\w\s]")
#: The same for ASCII text, in half the time.
_ASCII_WORD = re.compile(r"[A-Za-z]+|[0-9]+|[^A-Za-z0-9_\s]")
_LOGARITHMS = np.array([name.startswith("log_") for name in FEATURES])


@dataclass(frozen=True)
class PromptFeatures:
    """The features of n prompts. None are learnt: equal prompts and vectors have equal features.

    Attributes:
        vectors: The embeddings, float32 [n, d].
        surface: The surface features, float32 [n, len(FEATURES)].
        shapes: The shape features, float32 [n, len(SHAPES)].
        words: The hashed words at the edges, float32 [n, BUCKETS], rows of length 1.
    """

    vectors: Array
    surface: Array
    shapes: Array
    words: Array

    @classmethod
    def of(cls, vectors: Array, texts: Sequence[str]) -> PromptFeatures:
        """Return the features of texts [n] with their vectors [n, d], which may be float16."""
        return cls(vectors.astype(np.float32), surface_features(texts), shapes(texts), _word_features(texts))

    def category_inputs(self) -> Array:
        """Return the inputs of the category classifier, float32 [n, d + surface + shapes + BUCKETS]."""
        # Shares are mostly small, and logarithms go up to 12: both are scaled to the size of embeddings.
        surface = np.where(_LOGARITHMS, self.surface / 6, np.sqrt(self.surface))
        return np.hstack([self.vectors, surface, self.shapes, _WORD_WEIGHT * self.words])


def _word_features(texts: Sequence[str]) -> Array:
    """Return the hashed words at each text's edges, float32 [n, BUCKETS], rows of length 1."""
    columns = [edge_columns(text) for text in texts]
    rows = np.repeat(np.arange(len(texts)), [len(text_columns) for text_columns in columns])
    table = np.zeros((len(texts), BUCKETS), dtype=np.float32)
    index = rows, np.fromiter(chain.from_iterable(columns), dtype=np.int64, count=len(rows))
    table[index] = 1
    table[index] = (1 / np.maximum(np.sqrt(table.sum(axis=1)), 1))[rows]
    return table


def edge_columns(text: str) -> list[int]:
    """Return the columns of the words at a text's edges, of their stems, and of its first and last words."""
    edges = [text] if len(text) <= 2 * EDGE else [text[:EDGE], text[-EDGE:]]
    words = [(_ASCII_WORD if edge.isascii() else _WORD).findall(edge) for edge in edges]
    columns = list(chain.from_iterable(map(_columns_of, chain.from_iterable(words))))
    columns += _columns_of_first(*words[0][:2])
    columns += _columns_of_last(*words[-1][-2:])
    return columns


@lru_cache(maxsize=_CACHED_WORDS)
def _columns_of(word: str) -> tuple[int, ...]:
    """Return the columns of a word and of its stem."""
    normalised = _normalise(word)
    stem = (f"{normalised[:_STEM]}*",) if len(normalised) > _STEM else ()
    return tuple(column(term) for term in (normalised, *stem))


@lru_cache(maxsize=_CACHED_WORDS)
def _columns_of_first(*words: str) -> tuple[int, ...]:
    """Return the columns of the first word and of the first two."""
    normalised = [_normalise(word) for word in words]
    return tuple(column(f"^{' '.join(normalised[:count])}") for count in (1, 2))


@lru_cache(maxsize=_CACHED_WORDS)
def _columns_of_last(*words: str) -> tuple[int, ...]:
    """Return the columns of the last word and of the last two."""
    normalised = [_normalise(word) for word in words]
    return tuple(column(f"${' '.join(normalised[-count:])}") for count in (1, 2))


def _normalise(word: str) -> str:
    """Return a word in lower case, and 0 for every number."""
    return "0" if word.isdigit() else word.lower()


def column(word: str) -> int:
    """Return the column that a word is hashed to."""
    return zlib.crc32(word.encode("utf-8", "replace")) % BUCKETS
