"""A router with a new pairwise classifier and otherwise the same parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from router_core.data.labelled_prompts import LabelledPrompt, score_matrix
from router_core.data.prompt_hashes import PromptHashSet
from router_core.predictors.pairwise import PairwiseClassifier
from router_core.router import Router


def with_new_pairwise_classifier(
    router: Router, rows: Sequence[LabelledPrompt], vectors: NDArray[np.float32], *, threads: int = 1
) -> Router:
    """Return the router with a pairwise classifier that is fitted on the pairs of these rows only.

    The rows must not be training prompts of the router, because its predictions for those are better than for
    any others. They become training prompts of the result, so that evaluation on them is recognised as
    invalid: the authors of CARGO fit their classifier on pairs of all prompts, including test prompts.
    """
    texts = [row.prompt for row in rows]
    scored = router.predict(vectors, texts, threads=threads)
    weights = np.ones(len(rows), dtype=np.float32)
    classifier = PairwiseClassifier.fit(scored, score_matrix(rows, router.models), weights)
    refitted = replace(
        router,
        predictors=replace(router.predictors, pairwise=classifier),
        training_prompts=router.training_prompts | PromptHashSet.of(texts),
    )
    return replace(refitted, version=refitted.version_if_saved())
