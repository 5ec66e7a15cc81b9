"""The prompts that a router has learnt from, as hashes: what evaluation must not be shown again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router_core.artefact import pack, unpack
from router_core.data.splits import prompt_hash

#: Hex digits kept of a SHA-256: 64 bits, shared by two of a million prompts once in 10^7 trainings.
_DIGITS = 16


@dataclass(frozen=True, eq=False)
class PromptHashSet:
    """Hashes of prompts with case and white space levelled, ascending, S16 [prompts]."""

    hashes: NDArray[np.bytes_]

    @classmethod
    def of(cls, prompts: Iterable[str]) -> PromptHashSet:
        """Take the fingerprint of prompts."""
        return cls(np.unique(_hashes(list(prompts))))

    def contains(self, prompts: Sequence[str]) -> NDArray[np.bool_]:
        """Return which of the prompts [n] were learnt from."""
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
