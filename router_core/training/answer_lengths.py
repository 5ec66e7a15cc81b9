"""Learning the expected lengths of answers from the lengths that labels tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from router_core.data.labelled_prompts import LabelledPrompt, token_matrix
from router_core.predictors.answer_tokens import AnswerTokens
from router_core.router import Router


def with_answer_tokens(
    router: Router, representation: NDArray[np.float32], rows: Sequence[LabelledPrompt]
) -> Router:
    """Return the router with the expected lengths of answers, if the labels of its rows tell any.

    Args:
        router: The router, whose ensemble is fitted.
        representation: The representations of the labelled prompts, [n, k].
        rows: The labelled prompts [n].
    """
    ensemble = router.predictors.ensemble
    kinds = ensemble.task_probabilities(representation)
    fitted = AnswerTokens.fit(kinds, token_matrix(rows, router.models))
    if fitted is None:
        return router
    record = fitted.record(router.models, ensemble.group_means.classifier.categories)
    return replace(router, answer_tokens=fitted, training={**router.training, "answer_tokens": record})
