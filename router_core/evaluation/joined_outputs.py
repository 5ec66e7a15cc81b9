"""The outputs of the routers of several folds as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from router_core.evaluation.metrics.curves import join_sweeps
from router_core.evaluation.outcomes import Outcomes
from router_core.evaluation.pairwise_predictions import PairwisePredictions
from router_core.evaluation.router_outputs import RouterOutputs
from router_core.evaluation.strategies import join_strategies

Rows = NDArray[np.int64]


def join_outputs(parts: Sequence[RouterOutputs], order: Rows) -> RouterOutputs:
    """Return the outputs of several folds as one, in the order of the labelled rows.

    Args:
        parts: The outputs of each fold; no two folds share a prompt.
        order: The number of the labelled row of each output [n], fold after fold.
    """
    back = np.argsort(order)
    first = parts[0]
    return RouterOutputs(
        outcomes=_join_outcomes([part.outcomes for part in parts]).take(back),
        strategies={
            name: join_strategies([part.strategies[name] for part in parts]).take(back)
            for name in first.strategies
        },
        trades={
            option: join_strategies([part.trades[option] for part in parts]).take(back)
            for option in first.trades
        },
        sweeps={name: join_sweeps([part.sweeps[name] for part in parts]).take(back) for name in first.sweeps},
        predicted=np.concatenate([part.predicted for part in parts])[back],
        detected=tuple(np.array([name for part in parts for name in part.detected], dtype=object)[back]),
        pairwise=_join_pairwise([part.pairwise for part in parts], back),
        novelty=np.concatenate([part.novelty for part in parts])[back],
    )


def _join_outcomes(parts: Sequence[Outcomes]) -> Outcomes:
    # Each fold numbers its prompts from 0: the numbers are shifted to stay different.
    starts = np.cumsum([0, *(int(part.prompt_index.max(initial=-1)) + 1 for part in parts)])
    return Outcomes(
        parts[0].models,
        tuple(name for part in parts for name in part.ids),
        tuple(name for part in parts for name in part.categories),
        np.concatenate([part.scores for part in parts]),
        np.concatenate([part.costs for part in parts]),
        np.concatenate([part.prompt_index + start for part, start in zip(parts, starts, strict=False)]),
    )


def _join_pairwise(parts: Sequence[PairwisePredictions], rows: Rows) -> PairwisePredictions:
    columns = {
        field.name: np.concatenate([getattr(part, field.name) for part in parts])[rows]
        for field in fields(PairwisePredictions)
    }
    return PairwisePredictions(**columns)
