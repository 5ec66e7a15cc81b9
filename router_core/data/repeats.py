"""Repeats: rows of one prompt whose models answered it several times; they are averaged for training.

The mean of k scores has a variance of s + v / k, where v is the variance of one prompt's scores (noise) and s
that between prompts. A prompt's weight is the inverse of it, relative to a prompt with one score.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from router_core.data.labelled_prompts import LabelledPrompt, model_names, score_matrix

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

#: The least share of the variance of a score that is between prompts, so that weights stay bounded.
_LEAST_BETWEEN = 0.05


def repeated_rows(rows: Sequence[LabelledPrompt]) -> list[Rows]:
    """Return the numbers of the rows of each prompt, the prompts in the order of their first rows.

    Rows are repeats if both id and text are equal.
    """
    found: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for number, row in enumerate(rows):
        found[row.id, row.prompt].append(number)
    return [np.array(numbers) for numbers in found.values()]


def averaged(rows: Sequence[LabelledPrompt], repeats: Sequence[Rows]) -> list[LabelledPrompt]:
    """Return a row for each prompt: means of the scores, costs and lengths of its repeats."""
    return [rows[own[0]] if len(own) == 1 else _averaged([rows[number] for number in own]) for own in repeats]


def noise_of(scores: Floats, repeats: Sequence[Rows]) -> float | None:
    """Return the variance of one model's scores [n, m] on one prompt; None without repeated scores."""
    squares, freedom = 0.0, 0
    for own in (scores[rows] for rows in repeats if len(rows) > 1):
        several = own[:, np.isfinite(own).sum(axis=0) > 1]
        if several.size:
            squares += float(np.nansum((several - np.nanmean(several, axis=0)) ** 2))
            freedom += int(np.isfinite(several).sum()) - several.shape[1]
    return squares / freedom if freedom else None


def repeat_weights(rows: Sequence[LabelledPrompt], repeats: Sequence[Rows]) -> Floats:
    """Return the weight of each prompt by the number of its repeats, relative to one, [prompts]."""
    counts = np.array([len(own) for own in repeats], dtype=np.float64)
    scores = score_matrix(rows, model_names(rows))
    noise = noise_of(scores, repeats)
    if not noise:
        return np.ones(len(repeats))
    total = float(np.nanmean((scores - np.nanmean(scores, axis=0)) ** 2))
    between = max(total - noise, _LEAST_BETWEEN * total)
    return np.asarray((between + noise) / (between + noise / counts))


def _averaged(rows: Sequence[LabelledPrompt]) -> LabelledPrompt:
    costs, tokens = ([getattr(row, name) or {} for row in rows] for name in ("costs", "tokens"))
    return replace(
        rows[0],
        scores=_means([row.scores for row in rows]),
        costs=_means(costs) or None,
        tokens=_means(tokens) or None,
    )


def _means(values: Sequence[Mapping[str, float]]) -> dict[str, float]:
    known: defaultdict[str, list[float]] = defaultdict(list)
    for one in values:
        for model, value in one.items():
            known[model].append(value)
    return {model: sum(numbers) / len(numbers) for model, numbers in known.items()}
