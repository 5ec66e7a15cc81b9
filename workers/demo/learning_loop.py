"""Once round the learning loop: answers of every model, judges, labels, a router, and what it has found out.

Nothing is given but the list of models. What is true of them is known all the same, for they are simulated:
see workers/simulator/truth.py.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from router_core.pricing import MICROS_PER_DOLLAR
from tasks.learning import collection, judging
from tasks.settings import Settings
from tasks.stages.candidates import default_model
from tasks.store import results
from tasks.store.engine import Store
from tasks.store.learning.run_queries import RunSummary
from tasks.store.progress import Progress
from tasks.submission import submit
from tasks.submission.source import from_items
from workers.demo.data.prompts import write_prompts
from workers.routers import promotion
from workers.routers.retraining import LabelWeighting, retrain
from workers.simulator import default_config
from workers.simulator.categories import guess_category
from workers.simulator.truth import cost_of, strength_at

#: prompts that the new router routes afterwards, in a batch of their own
TEST_PROMPTS = 500
_SEED = 7_001

Follow = Callable[[str], Progress]


@dataclass(frozen=True, kw_only=True)
class StrategyOutcome:
    """A way of routing: the documented strength and cost (dollars) of what it chooses, means over prompts."""

    name: str
    quality: float
    cost: float


@dataclass(frozen=True, kw_only=True)
class CategoryFinding:
    """A kind of prompt: where its prompts were sent, and the strengths that are documented."""

    category: str
    models: Mapping[str, int]
    strengths: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class LoopOutcome:
    """What the loop did and found; costs in dollars. held: the guard lets no prediction count."""

    collected: collection.Collection
    judge_run: RunSummary
    cost: float
    version: str
    trained_on: int
    conservative: bool
    routed: int
    strategies: tuple[StrategyOutcome, ...]
    categories: tuple[CategoryFinding, ...]


@dataclass(frozen=True, kw_only=True)
class LearningLoop:
    """The loop over the prompts of a batch; `follow` waits for a batch to end."""

    store: Store
    settings: Settings
    follow: Follow
    notify: Callable[[str], None]

    def run(self, batch_id: str, prompts: int, router: Path) -> LoopOutcome:
        """Let that many prompts of the batch be judged, train into `router`, and try the router out."""
        collected, answers = self._collect(batch_id, prompts)
        self.notify(f"judges compare the answers to {collected.prompts} prompts")
        run = judging.begin(self.store, self.settings, [str(collected.batch_id)])
        verdicts = self.follow(run.batch_id).spent
        self.notify("training a router on what the judges said, and promoting it")
        trained = retrain(
            self.store, self.settings, router, weighting=LabelWeighting(), notify=lambda _: None
        ).router
        promotion.promote(self.store, self.settings, trained.version)
        chosen = self._route()
        return LoopOutcome(
            collected=collected,
            judge_run=judging.summary(self.store, run.batch_id),
            cost=(answers + verdicts) / MICROS_PER_DOLLAR,
            version=trained.version,
            trained_on=int(trained.training["rows"]),
            conservative=trained.hyperparameters.margins["saving"] is None,
            routed=len(chosen),
            strategies=_strategy_outcomes(chosen, cheapest=self._cheapest(), best_single=trained.best_single),
            categories=_category_findings(chosen),
        )

    def _collect(self, batch_id: str, prompts: int) -> tuple[collection.Collection, int]:
        """Return what is collected, and what it cost in micro-dollars."""
        everything = list(collection.from_batch(self.store, batch_id))
        share = min(1.0, prompts / len(everything))
        planned = collection.plan(self.store, self.settings, everything, share=share)
        self.notify(f"every model answers a sample: {len(planned.missing)} answers are bought")
        collected = collection.collect(self.store, self.settings, planned, source=batch_id)
        return collected, self.follow(str(collected.batch_id)).spent

    def _route(self) -> dict[str, str]:
        """Return the model that the workers choose for each prompt of a new batch."""
        texts = [prompt.text for prompt in islice(write_prompts(_SEED), TEST_PROMPTS)]
        batch_id = submit.submit(
            self.store,
            from_items(texts, self.settings),
            source="new prompts",
            options=submit.options_for(self.settings, route_only=True),
        )
        self.follow(batch_id)
        bodies = [record.body or {} for record in results.iter_results(self.store, batch_id)]
        return {text: body["model"] for text, body in zip(texts, bodies, strict=True)}

    def _cheapest(self) -> str:
        return default_model(self.settings, self.settings.candidates)


def _strategy_outcomes(
    chosen: Mapping[str, str], *, cheapest: str, best_single: str
) -> tuple[StrategyOutcome, ...]:
    """From what a new user has to what could be reached."""
    models = {model.name: model for model in default_config().models}
    strongest = {text: max(models, key=lambda name: strength_at(models[name], text)) for text in chosen}
    ways = {
        f"{cheapest}, the cheapest, until there is a router": dict.fromkeys(chosen, cheapest),
        f"{best_single}, the best single model": dict.fromkeys(chosen, best_single),
        "the router trained on the judges' labels": chosen,
        "each prompt's strongest model: the best possible": strongest,
    }
    return tuple(
        StrategyOutcome(
            name=name,
            quality=_mean([strength_at(models[model], text) for text, model in way.items()]),
            cost=_mean([cost_of(models[model], text) for text, model in way.items()]),
        )
        for name, way in ways.items()
    )


def _category_findings(chosen: Mapping[str, str]) -> tuple[CategoryFinding, ...]:
    sent: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for text, model in chosen.items():
        sent[guess_category(text)][model] += 1
    return tuple(
        CategoryFinding(
            category=category,
            models=dict(models.most_common()),
            strengths={model.name: model.strengths[category] for model in default_config().models},
        )
        for category, models in sorted(sent.items(), key=lambda item: -item[1].total())
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
