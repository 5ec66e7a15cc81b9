"""Measures of one choice on one prompt: right or not, better or not than another model.

Scores are often tied, so each measure says what it makes of ties.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from router_core.evaluation.outcomes import Outcomes

Floats = NDArray[np.float64]


def strict_top1(outcomes: Outcomes) -> Floats:
    """Return 1 for the only best model, 0 for others, NaN where several share the best score, [n, m]."""
    best = outcomes.best
    alone = (best.sum(axis=1, keepdims=True) == 1) & (outcomes.judged.sum(axis=1, keepdims=True) > 1)
    return np.where(outcomes.judged & alone, best.astype(np.float64), np.nan)


def best_set_top1(outcomes: Outcomes) -> Floats:
    """Return 1 for a model whose score equals the best, 0 for others, NaN where it was not judged, [n, m]."""
    return np.where(outcomes.judged, outcomes.best.astype(np.float64), np.nan)


def paper_wins(outcomes: Outcomes, against: int) -> Floats:
    """Return the paper's win of each model over one: 0.5 for the same choice, 1 for strictly better, [n, m].

    A tie of two different models counts 0 (CARGO, arXiv 2509.14899), so a router that ties often looks worse
    than it is.
    """
    same = np.arange(len(outcomes.models)) == against
    wins = np.where(same, 0.5, outcomes.scores > outcomes.scores[:, [against]])
    return _where_both_judged(outcomes, against, wins)


def fair_wins(outcomes: Outcomes, against: int) -> Floats:
    """Return 1 where a model is better than one, 0.5 where they tie, 0 where it is worse, [n, m]."""
    wins = (np.sign(outcomes.scores - outcomes.scores[:, [against]]) + 1) / 2
    return _where_both_judged(outcomes, against, wins)


def _where_both_judged(outcomes: Outcomes, against: int, wins: Floats) -> Floats:
    return np.where(outcomes.judged & outcomes.judged[:, [against]], wins, np.nan)
