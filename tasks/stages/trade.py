"""What the choice of a model trades: the user's preferences and the expected costs of requests."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from router_core.policy.preferences import RoutingPreferences
from router_core.policy.shift import default_cost_weight
from router_core.pricing import expected_costs
from router_core.router import Router
from tasks.endpoints.registry import endpoint_of
from tasks.settings import ModelSettings, Settings
from tasks.store.batch_options import BatchOptions
from tasks.store.values import HeldRequest


def preferences_of(settings: Settings, options: BatchOptions, router: Router) -> RoutingPreferences:
    """Return the preferences of a batch: its options, else what training chose."""
    trained = default_cost_weight(router.hyperparameters, settings.router.shift)
    return RoutingPreferences(
        policy=options.policy or settings.router.policy,
        quality_floor=options.quality_floor,
        cost_weight=trained if options.cost_weight is None else options.cost_weight,
        budget=options.budget_per_1000,
    )


def _output_limit(request: HeldRequest) -> float:
    """Return the most output tokens that the request allows."""
    generates = endpoint_of(request.endpoint).limit_key is not None
    return request.max_tokens or (math.inf if generates else 0.0)


def expected_request_costs(
    requests: Sequence[HeldRequest],
    texts: Sequence[str],
    models: Sequence[ModelSettings],
    answers: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Return the expected cost of each request on each model, in dollars, float64 [n, m].

    `answers` are the expected lengths [n, m] without regard to the requests' limits.
    """
    allowed = np.array([_output_limit(request) for request in requests])[:, None]
    lengths = np.minimum(allowed, answers)
    return expected_costs([len(text) for text in texts], [m.price for m in models], output_tokens=lengths)
