"""What routes a batch: the router that routes now, or one model for every prompt while there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.settings import Settings
from workers.routers.local_router import LocalRouter, local_router

if TYPE_CHECKING:
    from tasks.money.expected_costs import Lengths
    from tasks.store.batch_options import BatchOptions
    from tasks.store.engine import Store
    from tasks.submission.estimate_values import LeftOut, RoutedPrompts


@dataclass(frozen=True)
class DefaultModel:
    """Routing without a router: every prompt goes to one model, or to the first of `others` that can."""

    model: str
    others: tuple[str, ...] = ()

    @property
    def best_single(self) -> None:
        """No labels name one."""
        return

    @property
    def name(self) -> str:
        """The name that the user sees."""
        return f"no router: {self.model} for every prompt"

    def models_for(
        self, texts: Sequence[str], left_out: LeftOut = (), _lengths: Lengths | None = None
    ) -> RoutedPrompts:
        """Return the model of each prompt."""
        from tasks.submission.estimate_values import RoutedPrompts

        if not left_out:
            return RoutedPrompts([self.model] * len(texts))
        names = (self.model, *self.others)
        able = [next((name for name in names if name not in one), self.model) for one in left_out]
        return RoutedPrompts(able)


def batch_router(
    settings: Settings, options: BatchOptions, router: Path | None
) -> LocalRouter | DefaultModel:
    """Return what routes a batch with these options, as the route stage does it.

    Args:
        router: The directory of the router; None while there is no router.
    """
    from router_core.router import Router
    from tasks.stages.candidates import candidates, default_model, names_by_price

    models = candidates(settings, options)
    if router is None:
        return DefaultModel(default_model(settings, models), tuple(names_by_price(models)))
    names = [model.name for model in models]
    chosen = local_router(settings, Router.load(router), names)
    return replace(
        chosen,
        policy=options.policy or settings.router.policy,
        quality_floor=options.quality_floor,
        cost_weight=options.cost_weight,
        budget_per_1000=options.budget_per_1000,
    )


def current_router(settings: Settings, store: Store) -> Path | None:
    """Return the directory of the router that routes now: the promoted one, else that of the settings."""
    from tasks.stages.context import WorkerContext
    from tasks.store.routers import roles

    with store.read() as connection:
        current = roles.read(connection)
    return WorkerContext(settings).router_path(current)
