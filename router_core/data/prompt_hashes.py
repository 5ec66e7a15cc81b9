"""The set of the prompts that a router was trained on, as hashes; evaluation leaves these prompts out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router_core.artefact import pack, unpack
from router_core.data.prompt_hash import prompt_hash

#: Hex digits kept of a SHA-256, 64 bits: two of a million prompts share a hash with probability 3e-8.
_DIGITS = 16


@dataclass(frozen=True, eq=False)
class PromptHashSet:
    """A set of prompts, equal up to case and white space, as their hashes: ascending, S16 [prompts]."""

    hashes: NDArray[np.bytes_]

    @classmethod
    def of(cls, prompts: Iterable[str]) -> PromptHashSet:
        """Return the set of these prompts."""
        return cls(np.unique(_hashes(list(prompts))))

    def contains(self, prompts: Sequence[str]) -> NDArray[np.bool_]:
        """Return which of the prompts are in the set, bool [n]."""
        return np.isin(_hashes(prompts), self.hashes)

    def __or__(self, other: PromptHashSet) -> PromptHashSet:
        return PromptHashSet(np.union1d(self.hashes, other.hashes))

    def to_bytes(self) -> bytes:
        """Return it as the bytes of an .npz file."""
        return pack({"hashes": self.hashes})

    @classmethod
    def from_bytes(cls, data: bytes) -> PromptHashSet:
        """Rebuild from what `to_bytes` returned."""
        return cls(unpack(data)["hashes"])


def _hashes(prompts: Sequence[str]) -> NDArray[np.bytes_]:
    return np.array([prompt_hash(prompt)[:_DIGITS] for prompt in prompts], dtype=f"S{_DIGITS}")
