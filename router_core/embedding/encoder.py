"""What every encoder offers; `router_core.embedding.embedder.Embedder` stands before it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt


class Encoder(Protocol):
    """A loaded model. Use it from one thread at a time: its tokenizer keeps state."""

    @property
    def dimension(self) -> int:
        """Length of its vectors."""

    @property
    def max_tokens(self) -> int:
        """Tokens of a text that it reads; the rest is cut off."""

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Embed valid Unicode texts; float32 [n, dimension], each row of length 1 or, without a token, 0."""
