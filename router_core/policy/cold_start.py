"""Newcomers: models that the router has no label of, ranked by what their owner expects of them.

Never first: the guard lets nothing move prompts that has not shown its worth on labels. What a prior does is
to say who answers where the chosen model cannot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def insert_cold_start_models(
    ranking: Sequence[str], predicted: Mapping[str, float], priors: Mapping[str, float]
) -> tuple[str, ...]:
    """Return the ranking, best first, with each model that has only a prior before those of a lower prediction.

    Only where a model has a prediction does the first one stay first; otherwise nothing is known of any.
    """
    cold_start = [model for model in ranking if model in priors and model not in predicted]
    if not cold_start or ranking[0] not in predicted:
        return tuple(ranking)
    placed = [model for model in ranking if model not in cold_start]
    for model in sorted(cold_start, key=lambda one: (-priors[one], one)):
        value = priors[model]
        lower = (at for at, other in enumerate(placed) if at and _value(other, predicted, priors) < value)
        placed.insert(next(lower, len(placed)), model)
    return tuple(placed)


def _value(model: str, predicted: Mapping[str, float], priors: Mapping[str, float]) -> float:
    return predicted.get(model, priors.get(model, float("-inf")))
