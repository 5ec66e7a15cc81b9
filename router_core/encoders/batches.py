"""Batches by length: what goes through a transformer together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np


def plan_batches(lengths: Sequence[int], *, batch_tokens: int) -> Iterator[list[int]]:
    """Yield row numbers in batches of similar length, each within `batch_tokens` once padded.

    A batch always holds a row, however long that is.
    """
    batch: list[int] = []
    for row in np.argsort(np.asarray(lengths), kind="stable").tolist():
        if batch and (len(batch) + 1) * lengths[row] > batch_tokens:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch
