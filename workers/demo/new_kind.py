"""The demo's second round: prompts of a new kind, labelled by novelty; the share of unfamiliar ones falls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from router_core.pricing import MICROS_PER_DOLLAR
from tasks.learning import collection, collection_plan, judging
from tasks.settings import Settings
from tasks.store.batch_progress import Progress
from tasks.store.engine import Store
from tasks.submission import submit
from tasks.submission.options import options_for
from tasks.submission.source import from_items
from workers.demo.data.prompts import NEW_KIND, write_prompts
from workers.routers import promotion
from workers.routers.batch_router import current_router
from workers.routers.prompt_annotation import annotate
from workers.routers.retraining import LabelWeighting, retrain

#: The number of new prompts that are routed before, and again after the second training.
PROMPTS = 100
#: The share of the first of them that every model answers.
SHARE = 0.5
_SEED = 7_002


@dataclass(frozen=True, kw_only=True)
class NewKindOutcome:
    """The outcome of the round.

    Attributes:
        kind: The kind of the prompts.
        prompts: The number of prompts of each batch.
        before: The share of unfamiliar prompts in the batch before the labels.
        after: The same in another batch, after the training on them.
        collected: The labelled prompts.
        version: The router's version after it.
        cost: Dollars for the answers and the verdicts.
    """

    kind: str
    prompts: int
    before: float
    after: float
    collected: int
    version: str
    cost: float


@dataclass(frozen=True, kw_only=True)
class NewKind:
    """The round; `follow` waits for a batch to end and returns its progress."""

    store: Store
    settings: Settings
    follow: Callable[[str], Progress]
    notify: Callable[[str], None]

    def run(self, router: Path) -> NewKindOutcome | None:
        """Run the round; None if the champion does not measure novelty.

        Args:
            router: The directory for the trained router.
        """
        texts = [prompt.text for prompt in islice(write_prompts(_SEED, (NEW_KIND,)), 2 * PROMPTS)]
        first, before = self._route(texts[:PROMPTS])
        if before is None:
            return None
        self.notify(f"a new kind of prompts: {before:.0%} are unfamiliar; labels of {SHARE:.0%} of them")
        collected, answers = self._collect(first)
        verdicts = self.follow(judging.begin(self.store, self.settings, [str(collected.batch_id)]).batch_id)
        trained = retrain(
            self.store, self.settings, router, weighting=LabelWeighting(), notify=lambda _: None
        ).router
        promotion.promote(self.store, self.settings, trained.version)
        _, after = self._route(texts[PROMPTS:])
        return NewKindOutcome(
            kind=NEW_KIND,
            prompts=PROMPTS,
            before=before,
            after=0.0 if after is None else after,
            collected=collected.prompts,
            version=trained.version,
            cost=(answers.spent + verdicts.spent) / MICROS_PER_DOLLAR,
        )

    def _route(self, texts: list[str]) -> tuple[str, float | None]:
        """Let the workers route prompts; return their batch and its share of unfamiliar ones."""
        batch_id = submit.submit(
            self.store,
            from_items(texts, self.settings),
            source="prompts of a new kind",
            options=options_for(self.settings, route_only=True),
        )
        return batch_id, self.follow(batch_id).unfamiliar_share

    def _collect(self, batch_id: str) -> tuple[collection_plan.Collection, Progress]:
        """Let every model answer a sample by novelty; return the collection and the batch that bought it."""
        champion = current_router(self.settings, self.store)
        prompts = annotate(self.settings, champion, collection.from_batch(self.store, batch_id), by="novelty")
        planned = collection_plan.plan(self.store, self.settings, prompts, share=SHARE)
        collected = collection.collect(self.store, self.settings, planned, source=batch_id)
        return collected, self.follow(str(collected.batch_id))
