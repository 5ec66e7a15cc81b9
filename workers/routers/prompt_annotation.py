"""Annotation of prompts before they are sampled: their category, and what the router knows about them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tasks.learning.collection_plan import CategorisedPrompt
from tasks.settings import Settings

if TYPE_CHECKING:
    from router_core.data.novelty_sampling import Position
    from router_core.predictors.scored_prompts import ScoredPrompts
    from router_core.router import Router

#: What prompts are sampled by: by their categories alone, or sooner where the router can tell.
SampleBy = Literal["random", "uncertainty", "novelty"]
CHUNK = 512


def annotate(
    settings: Settings, router: Path | None, prompts: Iterable[CategorisedPrompt], *, by: SampleBy
) -> Iterator[CategorisedPrompt]:
    """Yield the prompts with a category where they have none, and with what they are sampled by.

    Without a router the prompts pass unchanged: all without a category count as one category.
    """
    if router is None:
        yield from prompts
        return
    from router_core.router import Router
    from workers.routers.local_router import local_router

    loaded = Router.load(router)
    local = local_router(settings, loaded, loaded.models)
    stream = iter(prompts)
    while chunk := list(islice(stream, CHUNK)):
        scored = local.predict([one.parsed.prompt for one in chunk])
        columns = zip(
            chunk,
            loaded.detected_categories(scored.predictions.posterior),
            _uncertainties(loaded, scored) if by == "uncertainty" else repeat(0.0, len(chunk)),
            _positions(loaded, scored) if by == "novelty" else repeat(None, len(chunk)),
            strict=True,
        )
        for one, category, uncertainty, position in columns:
            yield replace(one, category=one.category or category, uncertainty=uncertainty, position=position)


def _uncertainties(router: Router, scored: ScoredPrompts) -> Sequence[float]:
    from router_core.policy.uncertainty import margin_uncertainty

    return list(margin_uncertainty(scored.blended, score_range=router.hyperparameters.score_range).tolist())


def _positions(router: Router, scored: ScoredPrompts) -> Sequence[Position]:
    from router_core.policy.positions import positions

    return positions(router, scored)
