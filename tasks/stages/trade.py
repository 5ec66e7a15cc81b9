"""What the choice of a model trades: the user's preferences."""

from __future__ import annotations

from router_core.policy.preferences import RoutingPreferences
from router_core.policy.shift import default_cost_weight
from router_core.router import Router
from tasks.settings import Settings
from tasks.store.batch_options import BatchOptions


def preferences_of(settings: Settings, options: BatchOptions, router: Router) -> RoutingPreferences:
    """Return the preferences of a batch: its options, else what training chose."""
    trained = default_cost_weight(router.hyperparameters, settings.router.shift)
    return RoutingPreferences(
        policy=options.policy or settings.router.policy,
        quality_floor=options.quality_floor,
        cost_weight=trained if options.cost_weight is None else options.cost_weight,
        budget=options.budget_per_1000,
    )
