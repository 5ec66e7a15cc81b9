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


def without_repeats(
    rows: Sequence[LabelledPrompt], vectors: NDArray[np.float32], weights: NDArray[np.float32]
) -> tuple[list[LabelledPrompt], NDArray[np.float32], NDArray[np.float32]]:
    """Return a row, its vector and its weight for each prompt; without repeats, what was given.

    The weights, not all 0, are scaled to a mean of 1 again.

    Rows of weight 0 have no influence on the others of their prompt.
    """
    repeats = repeated_rows(rows)
    if len(repeats) == len(rows):
        return list(rows), vectors, weights
    used = [own[weights[own] > 0] if weights[own].any() else own for own in repeats]
    precise = repeat_weights(rows, used, weights)
    scaled = (precise / precise.mean()).astype(np.float32)
    return averaged(rows, used, weights), vectors[[own[0] for own in used]], scaled


def repeated_rows(rows: Sequence[LabelledPrompt]) -> list[Rows]:
    """Return the numbers of the rows of each prompt, the prompts in the order of their first rows.

    Rows are repeats if both id and text are equal.
    """
    found: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for number, row in enumerate(rows):
        found[row.id, row.prompt].append(number)
    return [np.array(numbers) for numbers in found.values()]


def averaged(
    rows: Sequence[LabelledPrompt], repeats: Sequence[Rows], weights: NDArray[np.floating]
) -> list[LabelledPrompt]:
    """Return a row for each prompt: weighted means of the scores, costs and lengths of its repeats.

    Args:
        rows: The rows [n].
        repeats: The numbers of each prompt's rows; those of weight 0 must be left out if others remain.
        weights: The weights of the rows [n].
    """
    return [
        rows[own[0]] if len(own) == 1 else _averaged([rows[number] for number in own], weights[own].tolist())
        for own in repeats
    ]


def noise_of(scores: Floats, repeats: Sequence[Rows]) -> float | None:
    """Return the variance of one model's scores [n, m] on one prompt; None without repeated scores."""
    squares, freedom = 0.0, 0
    for own in (scores[rows] for rows in repeats if len(rows) > 1):
        several = own[:, np.isfinite(own).sum(axis=0) > 1]
        if several.size:
            squares += float(np.nansum((several - np.nanmean(several, axis=0)) ** 2))
            freedom += int(np.isfinite(several).sum()) - several.shape[1]
    return squares / freedom if freedom else None


def repeat_weights(
    rows: Sequence[LabelledPrompt], repeats: Sequence[Rows], weights: NDArray[np.floating]
) -> Floats:
    """Return the weight of each prompt: the mean weight of its rows, more if there are several, [prompts].

    The arguments are those of `averaged`.
    """
    totals = np.array([weights[own].sum() for own in repeats], dtype=np.float64)
    squares = np.array([(weights[own] ** 2).sum() for own in repeats], dtype=np.float64)
    means = squares / np.where(totals > 0, totals, 1.0)
    counts = np.where(squares > 0, totals**2 / np.where(squares > 0, squares, 1.0), 1.0)
    scores = score_matrix(rows, model_names(rows))
    noise = noise_of(scores, repeats)
    if not noise:
        return means
    total = float(np.nanmean((scores - np.nanmean(scores, axis=0)) ** 2))
    between = max(total - noise, _LEAST_BETWEEN * total)
    return np.asarray(means * (between + noise) / (between + noise / counts))


def _averaged(rows: Sequence[LabelledPrompt], weights: Sequence[float]) -> LabelledPrompt:
    costs, tokens = ([getattr(row, name) or {} for row in rows] for name in ("costs", "tokens"))
    return replace(
        rows[0],
        scores=_means([row.scores for row in rows], weights),
        costs=_means(costs, weights) or None,
        tokens=_means(tokens, weights) or None,
    )


def _means(values: Sequence[Mapping[str, float]], weights: Sequence[float]) -> dict[str, float]:
    weights = weights if any(weights) else [1.0] * len(weights)
    totals: defaultdict[str, float] = defaultdict(float)
    sums: defaultdict[str, float] = defaultdict(float)
    for one, weight in zip(values, weights, strict=True):
        for model, value in one.items():
            totals[model] += weight
            sums[model] += weight * value
    return {model: sums[model] / total for model, total in totals.items()}
