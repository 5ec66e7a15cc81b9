"""The positions of prompts among a router's labelled ones, for sampling by novelty."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from router_core.data.novelty_sampling import Position
from router_core.predictors.knn import knn_inputs
from router_core.predictors.scored_prompts import ScoredPrompts
from router_core.router import Router


def positions(router: Router, scored: ScoredPrompts) -> Sequence[Position]:
    """Return the position of each prompt that the router has scored."""
    ensemble, representation = router.predictors.ensemble, scored.representation
    inputs = knn_inputs(representation, ensemble.task_probabilities(representation))
    distances = ensemble.knn.predict_with_distances(inputs)[1]
    novelty = np.ones(len(scored)) if scored.novelty is None else scored.novelty
    return [Position(*one) for one in zip(inputs, distances.tolist(), novelty.tolist(), strict=True)]
