"""The dry run of a submission: how it would be routed, and what it would cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from tasks.formats.requests import InputError
from tasks.settings import Settings
from tasks.store.batch_options import BatchOptions
from tasks.store.engine import Store
from tasks.submission.estimate import estimate
from tasks.submission.estimate_values import Estimate, Route
from tasks.submission.source import Item


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
    route, router, best_single = _routing(settings, store, options)
    found = estimate(items, settings, options=options, route=route, on_error=on_error)
    is_candidate = any(one.model == best_single for one in found.models)  # a key may be limited to others
    return replace(found, router=router, best_single=best_single if is_candidate else None)


def _routing(settings: Settings, store: Store, options: BatchOptions) -> tuple[Route | None, str, str | None]:
    """Return what routes, with its name and best single model; no route where this host cannot load one."""
    from workers.routers.local_router import DefaultModel, batch_router, current_router

    try:
        router = batch_router(settings, options, current_router(settings, store))
        router.models_for(["a prompt"])
    except ModuleNotFoundError as error:
        text = f"this host does not know the mix: the router needs {error.name} (extras embed and route)"
        return None, text, None
    best = None if isinstance(router, DefaultModel) else router.router.best_single
    return router.models_for, router.name, best
