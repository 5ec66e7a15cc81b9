"""Outcomes and strategies written as small tables, for the tests of evaluation."""

import numpy as np

from router_core.evaluation.outcomes import Outcomes
from router_core.evaluation.strategies import Strategy

NAN = float("nan")


def make_outcomes(scores, costs=None, categories=None):
    """Return outcomes of models a, b, c … with scores [n, m]; costs [m] or [n, m] are unknown by default."""
    scores = np.array(scores, dtype=float)
    n, m = scores.shape
    costs = np.full((n, m), NAN) if costs is None else np.broadcast_to(np.array(costs, dtype=float), (n, m))
    return Outcomes(
        tuple("abcdefg"[:m]),
        tuple(f"p{row}" for row in range(n)),
        tuple(categories or [None] * n),
        scores,
        costs,
        np.arange(n),
    )


def always(*choice, models):
    """Return the strategy that chooses these columns, one for each prompt."""
    return Strategy.from_choice(np.array(choice), models)
