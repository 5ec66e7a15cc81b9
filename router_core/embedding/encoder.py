"""The interface of an encoder, the part of an `Embedder` that computes the vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt


class Encoder(Protocol):
    """A loaded model. Use it from one thread at a time, as its tokenizer has state."""

    @property
    def dimension(self) -> int:
        """The length of its vectors."""

    @property
    def max_tokens(self) -> int:
        """The number of tokens of a text that it reads; the rest is cut off."""

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return the vectors of valid Unicode texts, float32 [n, dimension].

        Each has length 1, but that of a text without a known token is zero.
        """
