"""Cold start: ranking models without labels by a prior, the mean score that the user expects of them.

Such a model is never moved to the first place, because a prompt leaves the best single model only on evidence
from labels. The prior decides the order in which models are tried when the chosen one fails.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def insert_cold_start_models(
    ranking: Sequence[str], predicted: Mapping[str, float], priors: Mapping[str, float]
) -> tuple[str, ...]:
    """Return the ranking with each model that has only a prior before the models of lower value.

    The value of a model is its predicted score or else its prior. The first model stays first. Without a
    predicted score of the first model, the ranking is returned unchanged.

    Args:
        ranking: All models, best first.
        predicted: The predicted scores by model.
        priors: The expected mean scores by model.
    """
    cold_start = [model for model in ranking if model in priors and model not in predicted]
    if not cold_start or ranking[0] not in predicted:
        return tuple(ranking)
    result = [model for model in ranking if model not in cold_start]
    for model in sorted(cold_start, key=lambda name: (-priors[name], name)):
        value = priors[model]
        lower = (i for i, other in enumerate(result) if i and _value(other, predicted, priors) < value)
        result.insert(next(lower, len(result)), model)
    return tuple(result)


def _value(model: str, predicted: Mapping[str, float], priors: Mapping[str, float]) -> float:
    return predicted.get(model, priors.get(model, float("-inf")))
