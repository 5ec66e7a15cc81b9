"""Refitting: a new pairwise classifier for a router whose other parts stay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from router_core.data.labelled_prompts import LabelledPrompt, score_matrix
from router_core.data.prompt_hashes import PromptHashSet
from router_core.predictors.pairwise import PairwiseClassifier
from router_core.router import Router


def with_new_fallback(
    router: Router, rows: Sequence[LabelledPrompt], vectors: NDArray[np.float32], *, threads: int = 1
) -> Router:
    """Return the router with a classifier that was fitted on the pairs of these rows only.

    They must be prompts that the router has not learnt from, else its predictions for them are better than
    they will ever be again. From now on they count as learnt from, so that an evaluation on them is seen for
    what it is: the authors of CARGO train their classifier on pairs of all prompts, test prompts included.
    """
    texts = [row.prompt for row in rows]
    contest = router.predict(vectors, texts, threads=threads)
    weights = np.ones(len(rows), dtype=np.float32)
    fallback = PairwiseClassifier.fit(contest, score_matrix(rows, router.models), weights)
    refitted = replace(
        router,
        predictors=replace(router.predictors, pairwise=fallback),
        training_prompts=router.training_prompts | PromptHashSet.of(texts),
    )
    return replace(refitted, version=refitted.version_if_saved())
