"""The dry run of a submission: how it would be routed, and what it would cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from tasks.formats.requests import InputError
from tasks.settings import Settings
from tasks.store.batch_options import BatchOptions
from tasks.store.engine import Store
from tasks.store.routers import roles
from tasks.submission.estimate import estimate
from tasks.submission.estimate_values import Estimate
from tasks.submission.source import Item
from workers.routers.batch_router import DefaultModel, batch_router, current_router
from workers.routers.local_router import LocalRouter, with_spending


def estimated(
    items: Iterable[Item],
    settings: Settings,
    store: Store,
    options: BatchOptions,
    *,
    on_error: Callable[[InputError], None] = lambda _: None,
) -> Estimate:
    """Estimate lines under these options with what routes now; nothing is called, and nothing stored.

    Raises:
        ConfigurationError: The router cannot be read, or its embedder is not there.
    """
    router = _router(settings, store, options)
    if isinstance(router, str):
        return replace(estimate(items, settings, options=options, on_error=on_error), router=router)
    found = estimate(items, settings, options=options, route=router.models_for, on_error=on_error)
    is_candidate = any(one.model == router.best_single for one in found.models)  # a key may have others only
    return replace(
        found,
        router=router.name,
        best_single=router.best_single if is_candidate else None,
        warnings=(*_canary_warnings(store), *_budget_warnings(router, options)),
        policy=router.policy_text if isinstance(router, LocalRouter) else "",
    )


def _canary_warnings(store: Store) -> Iterator[str]:
    """Yield a sentence if a canary will route a share of the requests, which the estimate leaves out."""
    with store.read() as connection:
        current = roles.read(connection)
    if current.canary is not None:
        yield (
            f"the canary {current.canary} routes {current.share:.0%} of the requests while it runs; mix and "
            "cost are those of the champion alone"
        )


def _budget_warnings(router: LocalRouter | DefaultModel, options: BatchOptions) -> Iterator[str]:
    """Yield a sentence if the batch has a routing budget that has no effect, or that is not kept."""
    if isinstance(router, LocalRouter):
        if router.spending is not None and (warning := router.spending.warning()):
            yield warning
    elif options.policy == "budget":
        yield "the routing budget has no effect without a router"


def _router(settings: Settings, store: Store, options: BatchOptions) -> LocalRouter | DefaultModel | str:
    """Return what routes; a sentence where this host cannot load it."""
    try:
        router = batch_router(settings, options, current_router(settings, store))
        router.models_for(["a prompt"])
    except ModuleNotFoundError as error:
        return f"this host does not know the mix: the router needs {error.name} (extras embed and route)"
    return with_spending(router) if isinstance(router, LocalRouter) else router
