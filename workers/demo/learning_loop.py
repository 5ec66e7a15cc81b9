"""One round of the learning loop: answers of every model, verdicts of judges, labels, a router, its test.

The loop gets no label, only the list of models. The outcome can still be compared with the truth, because the
models are simulated and their strengths documented: see workers/simulator/truth.py.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from router_core.policy.shift import margin_of
from router_core.pricing import MICROS_PER_DOLLAR
from tasks.learning import collection, collection_plan, judging
from tasks.settings import Settings
from tasks.stages.candidates import default_model
from tasks.store import results
from tasks.store.batch_progress import Progress
from tasks.store.engine import Store
from tasks.store.learning.run_queries import RunSummary
from tasks.submission import submit
from tasks.submission.options import options_for
from tasks.submission.source import from_items
from workers.demo.data.prompts import write_prompts
from workers.demo.new_kind import NewKind, NewKindOutcome
from workers.routers import promotion
from workers.routers.retraining import LabelWeighting, retrain
from workers.simulator import default_config
from workers.simulator.categories import guess_category
from workers.simulator.truth import cost_of, strength_at

#: Number of new prompts that the trained router routes, in a batch of their own.
TEST_PROMPTS = 500
_SEED = 7_001

Follow = Callable[[str], Progress]


@dataclass(frozen=True, kw_only=True)
class StrategyOutcome:
    """The means over the test prompts of a routing strategy's choices.

    Attributes:
        quality: The documented strength of the chosen models.
        cost: The expected cost of their answers, in dollars.
    """

    name: str
    quality: float
    cost: float


@dataclass(frozen=True, kw_only=True)
class CategoryFinding:
    """One category of the test prompts.

    Attributes:
        models: Number of prompts that the router sent to each model.
        strengths: The documented strength of each model in this category.
    """

    category: str
    models: Mapping[str, int]
    strengths: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class LoopOutcome:
    """The outcome of the loop.

    Attributes:
        cost: Dollars for the answers and the verdicts.
        version: The version of the trained router.
        trained_on: Number of prompts that it was trained on.
        conservative: No deviation from the best single model is significant, so that the router makes none.
        routed: Number of test prompts.
        new_kind: The round on prompts of a new kind; None if the router does not measure novelty.
    """

    collected: collection_plan.Collection
    judge_run: RunSummary
    cost: float
    version: str
    trained_on: int
    conservative: bool
    routed: int
    strategies: tuple[StrategyOutcome, ...]
    categories: tuple[CategoryFinding, ...]
    new_kind: NewKindOutcome | None


@dataclass(frozen=True, kw_only=True)
class LearningLoop:
    """The loop over the prompts of a batch; `follow` waits for a batch to end and returns its progress."""

    store: Store
    settings: Settings
    follow: Follow
    notify: Callable[[str], None]

    def run(self, batch_id: str, prompts: int, router: Path) -> LoopOutcome:
        """Run the loop once.

        Args:
            batch_id: The batch whose prompts are sampled.
            prompts: Number of prompts whose answers judges compare.
            router: The directory for the trained router.
        """
        collected, answers_cost = self._collect(batch_id, prompts)
        self.notify(f"judges compare the answers to {collected.prompts} prompts")
        judge_run = judging.begin(self.store, self.settings, [str(collected.batch_id)])
        verdicts_cost = self.follow(judge_run.batch_id).spent
        self.notify("training a router on what the judges said, and promoting it")
        trained = retrain(
            self.store, self.settings, router, weighting=LabelWeighting(), notify=lambda _: None
        ).router
        promotion.promote(self.store, self.settings, trained.version)
        choices = self._route()
        new_kind = NewKind(
            store=self.store, settings=self.settings, follow=self.follow, notify=self.notify
        ).run(router.with_name(f"{router.name}-again"))
        return LoopOutcome(
            collected=collected,
            judge_run=judging.summary(self.store, judge_run.batch_id),
            cost=(answers_cost + verdicts_cost) / MICROS_PER_DOLLAR,
            version=trained.version,
            trained_on=int(trained.training["rows"]),
            conservative=margin_of(trained.hyperparameters, "saving", self.settings.router.shift) is None,
            routed=len(choices),
            strategies=_strategy_outcomes(
                choices, cheapest=self._cheapest(), best_single=trained.best_single
            ),
            categories=_category_findings(choices),
            new_kind=new_kind,
        )

    def _collect(self, batch_id: str, prompts: int) -> tuple[collection_plan.Collection, int]:
        """Let every model answer a sample of prompts; return the collection and its cost in micro-dollars."""
        candidates = list(collection.from_batch(self.store, batch_id))
        share = min(1.0, prompts / len(candidates))
        planned = collection_plan.plan(self.store, self.settings, candidates, share=share)
        self.notify(f"every model answers a sample: {len(planned.missing)} answers are bought")
        collected = collection.collect(self.store, self.settings, planned, source=batch_id)
        return collected, self.follow(str(collected.batch_id)).spent

    def _route(self) -> dict[str, str]:
        """Return the model that the workers choose for each prompt of a new batch, by the prompt's text."""
        texts = [prompt.text for prompt in islice(write_prompts(_SEED), TEST_PROMPTS)]
        batch_id = submit.submit(
            self.store,
            from_items(texts, self.settings),
            source="new prompts",
            options=options_for(self.settings, route_only=True),
        )
        self.follow(batch_id)
        bodies = [record.body or {} for record in results.iter_results(self.store, batch_id)]
        return {text: body["model"] for text, body in zip(texts, bodies, strict=True)}

    def _cheapest(self) -> str:
        return default_model(self.settings, self.settings.candidates)


def _strategy_outcomes(
    choices: Mapping[str, str], *, cheapest: str, best_single: str
) -> tuple[StrategyOutcome, ...]:
    """Compare the router's choices with one model for all prompts, and with the best possible choices."""
    models = {model.name: model for model in default_config().models}
    strongest = {text: max(models, key=lambda name: strength_at(models[name], text)) for text in choices}
    strategies = {
        f"{cheapest}, the cheapest, until there is a router": dict.fromkeys(choices, cheapest),
        f"{best_single}, the best single model": dict.fromkeys(choices, best_single),
        "the router trained on the judges' labels": choices,
        "each prompt's strongest model: the best possible": strongest,
    }
    return tuple(
        StrategyOutcome(
            name=name,
            quality=_mean([strength_at(models[model], text) for text, model in chosen.items()]),
            cost=_mean([cost_of(models[model], text) for text, model in chosen.items()]),
        )
        for name, chosen in strategies.items()
    )


def _category_findings(choices: Mapping[str, str]) -> tuple[CategoryFinding, ...]:
    """Return the router's choices by category, the largest category first."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for text, model in choices.items():
        counts[guess_category(text)][model] += 1
    return tuple(
        CategoryFinding(
            category=category,
            models=dict(models.most_common()),
            strengths={model.name: model.strengths[category] for model in default_config().models},
        )
        for category, models in sorted(counts.items(), key=lambda item: -item[1].total())
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
