"""Static embedding: a text's vector is the mean of its tokens' vectors (model2vec).

The files are those of sentence-transformers' `StaticEmbedding`, and so are the vectors (compared by a test).
They are computed with numpy and scipy here, because a worker that need not import torch is ready seconds
sooner and takes a third of the memory, and because torch is handed a Python list of all tokens there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from router_core.embedding.wordpiece import WordTokens
from router_core.errors import ModelUnusableError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

WEIGHTS, TOKENIZER = "model.safetensors", "tokenizer.json"
MODULES = "modules.json"
_WEIGHT_KEY = "embedding.weight"


@dataclass(frozen=True, eq=False)
class StaticEncoder:
    """A table of token vectors, float32 [tokens, dimension], and the tokenizer that numbers them."""

    max_tokens: int
    _weights: npt.NDArray[np.float32] = field(repr=False)
    _tokenizer: Tokenizer = field(repr=False)
    _words: WordTokens | None = field(repr=False)

    @classmethod
    def from_files(cls, files: Mapping[str, bytes], *, max_tokens: int) -> StaticEncoder:
        """Load from the bytes of WEIGHTS and TOKENIZER; ModelUnusableError where they are damaged."""
        import safetensors.numpy
        from tokenizers import Tokenizer

        try:
            weights = safetensors.numpy.load(files[WEIGHTS])[_WEIGHT_KEY].astype(np.float32)
            tokenizer = Tokenizer.from_str(files[TOKENIZER].decode())
        except Exception as error:  # two libraries raise whatever damaged files provoke
            raise ModelUnusableError(
                f"a static embedding cannot be loaded: {type(error).__name__}"
            ) from error
        if weights.ndim != 2 or len(weights) < tokenizer.get_vocab_size():
            raise ModelUnusableError("a static embedding has fewer vectors than its tokenizer has tokens")
        tokenizer.no_padding()
        tokenizer.enable_truncation(max_tokens)
        return cls(max_tokens, weights, tokenizer, WordTokens.of(tokenizer))

    @property
    def dimension(self) -> int:
        """Length of its vectors."""
        return int(self._weights.shape[1])

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Embed texts, float32 [n, dimension]; a text without a known token has the zero vector."""
        from scipy.sparse import csr_array  # type: ignore[import-untyped]

        tokens = self._tokens(texts)
        ends = np.cumsum([0, *map(len, tokens)])
        columns = np.fromiter(chain.from_iterable(tokens), dtype=np.int32, count=int(ends[-1]))
        # One row a text, with a 1 for each of its tokens: the product sums their vectors in one pass.
        rows = csr_array(
            (np.ones(len(columns), dtype=np.float32), columns, ends), shape=(len(tokens), len(self._weights))
        )
        return _unit(np.asarray(rows @ self._weights))

    def _tokens(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the numbers of each text's tokens."""
        known = [self._words.ids(text) if self._words else None for text in texts]
        rest = [text for text, ids in zip(texts, known, strict=True) if ids is None]
        encoded = iter(self._tokenizer.encode_batch_fast(rest, add_special_tokens=False))
        return [next(encoded).ids if ids is None else ids[: self.max_tokens] for ids in known]


def is_static(folder: Path) -> bool:
    """Return whether a model's folder holds a static embedding and nothing else that changes its vectors."""
    try:
        modules = json.loads((folder / MODULES).read_text())
        kinds = [str(module["type"]).rpartition(".")[2] for module in modules]
    except (OSError, ValueError, TypeError, KeyError):
        return False
    return kinds in (["StaticEmbedding"], ["StaticEmbedding", "Normalize"])


def static_files(folder: Path) -> dict[str, bytes]:
    """Return the bytes of the files that make up a static embedding; ModelUnusableError where one is missing."""
    try:
        return {name: (folder / name).read_bytes() for name in (WEIGHTS, TOKENIZER)}
    except OSError as error:
        raise ModelUnusableError(f"{error.filename}: {error.strerror}") from error


def _unit(sums: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    return np.asarray(sums / np.maximum(lengths, 1e-12), dtype=np.float32)
