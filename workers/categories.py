"""Categories of prompts that no batch has routed: by the router, where there is one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice

from tasks.collecting import Categorised
from tasks.settings import Settings

CHUNK = 512


def categorised(settings: Settings, prompts: Iterable[Categorised]) -> Iterator[Categorised]:
    """The prompts with their categories; without a router all are of one kind."""
    if settings.router.path is None:
        yield from prompts
        return
    from router_core.router import Router
    from workers.routing import local_router

    router = Router.load(settings.router.path)
    local = local_router(settings, router, router.models)
    stream = iter(prompts)
    while chunk := list(islice(stream, CHUNK)):
        decisions = local.decide([one.parsed.prompt for one in chunk])
        for row, one in enumerate(chunk):
            yield replace(one, category=decisions.category_name(row))
