"""Cross-validation splits by prompt: rows with equal prompts are always in the same fold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from router_core.data.prompt_hash import prompt_hash

Rows = NDArray[np.int64]


def assign_folds(prompts: Sequence[str], *, folds: int, seed: int) -> Rows:
    """Return the fold of each prompt, int64 [n] in 0..folds-1; folds have equally many distinct prompts."""
    hashes = [prompt_hash(prompt, salt=str(seed)) for prompt in prompts]
    position = {value: index for index, value in enumerate(sorted(set(hashes)))}
    return np.array([position[value] % folds for value in hashes], dtype=np.int64)


def splits(fold: Rows) -> Iterator[tuple[Rows, Rows]]:
    """Yield, for each fold, the training rows (all other folds) and the held-out rows (this fold)."""
    for index in np.unique(fold):
        yield np.flatnonzero(fold != index), np.flatnonzero(fold == index)
