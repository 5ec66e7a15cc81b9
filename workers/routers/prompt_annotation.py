"""What a router sees in prompts that may be sampled: their categories, and how unsure it is of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

from tasks.learning.collection import Categorised
from tasks.settings import Settings

CHUNK = 512


def annotated(
    settings: Settings, router: Path | None, prompts: Iterable[Categorised], *, doubt: bool
) -> Iterator[Categorised]:
    """Yield the prompts, with a category where they had none and with the router's doubt if that is wanted.

    Without a router all that have no category are of one kind, and nothing is in doubt.
    """
    if router is None:
        yield from prompts
        return
    from router_core.policy.uncertainty import margin_uncertainty
    from router_core.router import Router
    from workers.routers.local_router import local_router

    loaded = Router.load(router)
    local = local_router(settings, loaded, loaded.models)
    stream = iter(prompts)
    while chunk := list(islice(stream, CHUNK)):
        contest = local.predict([one.parsed.prompt for one in chunk])
        categories = loaded.detected_categories(contest.predictions.posterior)
        unsure = (
            margin_uncertainty(contest.blended, score_range=loaded.hyperparameters.score_range).tolist()
            if doubt
            else [0.0] * len(chunk)
        )
        for one, category, share in zip(chunk, categories, unsure, strict=True):
            yield replace(one, category=one.category or category, doubt=share)
