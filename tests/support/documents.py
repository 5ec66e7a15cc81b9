"""Prompts about the same document, for folds that keep them together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from router_core.data.labelled_prompts import LabelledPrompt

PASSAGE = 80


def documents(rows: Sequence[LabelledPrompt]) -> NDArray[np.int64]:
    """Return the first row that shares a passage of PASSAGE characters with each row, itself if none does.

    The sample has several prompts about the same document, in different categories. If one is learnt and
    another held out, the shared text leads the classifier to the wrong category: both belong in one fold.
    """
    first: dict[str, int] = {}
    result = np.arange(len(rows))
    for index, row in enumerate(rows):
        passages = [row.prompt[at : at + PASSAGE] for at in range(len(row.prompt) - PASSAGE + 1)]
        result[index] = min((first[passage] for passage in passages if passage in first), default=index)
        first.update(dict.fromkeys(passages, int(result[index])))
    return result
