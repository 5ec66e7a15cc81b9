"""Accuracy and wins of each possible choice on a prompt.

Scores are often tied. The metrics differ in how they count ties.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from router_core.evaluation.outcomes import Outcomes

Floats = NDArray[np.float64]


def strict_top1(outcomes: Outcomes) -> Floats:
    """Return 1 for the single best model and 0 for the others, [n, m].

    NaN on prompts where several models share the best score or fewer than two were judged, and for models
    that were not judged.
    """
    best = outcomes.best
    has_one_best = best.sum(axis=1, keepdims=True) == 1
    comparable = outcomes.judged.sum(axis=1, keepdims=True) > 1
    return np.where(outcomes.judged & has_one_best & comparable, best.astype(np.float64), np.nan)


def best_set_top1(outcomes: Outcomes) -> Floats:
    """Return 1 for each model with the best score and 0 for the others, [n, m]; NaN where not judged."""
    return np.where(outcomes.judged, outcomes.best.astype(np.float64), np.nan)


def paper_wins(outcomes: Outcomes, opponent: int) -> Floats:
    """Return each model's wins over one model as CARGO (arXiv 2509.14899) counts them, [n, m].

    1 for a strictly better score, 0.5 for the opponent itself, else 0. A tie of two different models counts
    0, so a router that often ties looks worse than it is. NaN where one of the two was not judged.
    """
    is_opponent = np.arange(len(outcomes.models)) == opponent
    wins = np.where(is_opponent, 0.5, outcomes.scores > outcomes.scores[:, [opponent]])
    return _where_both_judged(outcomes, opponent, wins)


def fair_wins(outcomes: Outcomes, opponent: int) -> Floats:
    """Return each model's wins over one model with ties as half a win, [n, m].

    1 for a better score, 0.5 for a tie, 0 for a worse score, NaN where one of the two was not judged.
    """
    wins = (np.sign(outcomes.scores - outcomes.scores[:, [opponent]]) + 1) / 2
    return _where_both_judged(outcomes, opponent, wins)


def _where_both_judged(outcomes: Outcomes, opponent: int, wins: Floats) -> Floats:
    return np.where(outcomes.judged & outcomes.judged[:, [opponent]], wins, np.nan)
