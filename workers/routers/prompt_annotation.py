"""Annotation of prompts before they are sampled: their category, and the router's uncertainty about them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

from tasks.learning.collection import CategorisedPrompt
from tasks.settings import Settings

CHUNK = 512


def annotate(
    settings: Settings, router: Path | None, prompts: Iterable[CategorisedPrompt], *, with_uncertainty: bool
) -> Iterator[CategorisedPrompt]:
    """Yield the prompts with a category where they have none, and with the uncertainty if it is wanted.

    Without a router the prompts pass unchanged: all without a category count as one category, and their
    uncertainty is 0.
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
        scored = local.predict([one.parsed.prompt for one in chunk])
        categories = loaded.detected_categories(scored.predictions.posterior)
        uncertainties = (
            margin_uncertainty(scored.blended, score_range=loaded.hyperparameters.score_range).tolist()
            if with_uncertainty
            else [0.0] * len(chunk)
        )
        for one, category, uncertainty in zip(chunk, categories, uncertainties, strict=True):
            yield replace(one, category=one.category or category, uncertainty=uncertainty)
