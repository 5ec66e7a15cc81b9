"""The plan of a collection: the sample of prompts, and the answers that are to be bought for it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace

from router_core.data.novelty_sampling import NoveltySampler, Position
from router_core.data.sampling import Candidate, Sampler
from tasks.content.needs import needs_of
from tasks.endpoints.registry import endpoint_of
from tasks.errors import UsageError
from tasks.formats.requests import ParsedRequest
from tasks.learning.call_costs import Call, CallCosts, costs_by_model
from tasks.settings import Settings
from tasks.store.engine import Store
from tasks.store.learning import samples
from tasks.store.learning.samples import Sample
from tasks.submission.screening import Screen


@dataclass(frozen=True, slots=True)
class CategorisedPrompt:
    """A prompt that may be sampled, with its category.

    `uncertainty` is the router's, 0 to 1 (`router_core.policy.uncertainty.margin_uncertainty`). `position` is
    where the prompt is among the router's labelled ones; with it, prompts are sampled by novelty.
    """

    parsed: ParsedRequest
    category: str | None = None
    uncertainty: float = 0.0
    position: Position | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """The counts of a collection.

    Attributes:
        batch_id: The collecting batch; None where nothing is stored (`plan`).
        considered: The prompts that the sample was chosen from.
        prompts: The sampled prompts.
        reused: Answers that earlier batches have paid for.
        bought: Answers that this batch calls for.
        skipped: Answers that a model cannot give, such as to an image; judges do without them.
        repeat: How many times each model answers each prompt.
        categories: Sampled prompts by category, `-` for none.
        costs: What the answers that are bought will probably cost, by model.
    """

    batch_id: str | None
    considered: int
    prompts: int
    models: tuple[str, ...]
    reused: int
    bought: int
    categories: dict[str, int]
    skipped: int = 0
    repeat: int = 1
    costs: Mapping[str, CallCosts] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CollectionPlan:
    """A sample of prompts and the models that should answer it.

    Attributes:
        samples: The prompts, all of them `repeat` times over, each time with answers of its own.
        models: The models.
        considered: The prompts that the sample was chosen from.
        repeat: How many times each model answers each prompt.
        costs: What the answers that are bought will probably cost, by model.
    """

    samples: Sequence[Sample]
    models: tuple[str, ...]
    considered: int
    repeat: int = 1
    costs: Mapping[str, CallCosts] = field(default_factory=dict)

    @property
    def missing(self) -> list[tuple[int, str]]:
        """The answers to buy, as (index of the sample, model)."""
        return [
            (index, model)
            for index, sample in enumerate(self.samples)
            for model in self.models
            if model not in sample.paid_answers and model not in (sample.parsed.left_out or {})
        ]

    def summary(self, batch_id: str | None = None) -> Collection:
        """Return the counts of the plan."""
        prompts = len(self.samples) // self.repeat
        bought, names = len(self.missing), [one.category or "-" for one in self.samples[:prompts]]
        skipped = sum(len(one.parsed.left_out or {}) for one in self.samples)
        return Collection(
            batch_id=batch_id,
            considered=self.considered,
            prompts=prompts,
            models=self.models,
            reused=len(self.samples) * len(self.models) - bought - skipped,
            bought=bought,
            skipped=skipped,
            repeat=self.repeat,
            costs=self.costs,
            categories={name: names.count(name) for name in sorted(set(names))},
        )


def plan(
    store: Store,
    settings: Settings,
    prompts: Iterable[CategorisedPrompt],
    *,
    share: float,
    models: Sequence[str] = (),
    seed: int = 0,
    repeat: int = 1,
) -> CollectionPlan:
    """Choose the sample and find the answers that are paid for already; this stores nothing.

    Args:
        prompts: The prompts to choose from, all with a position among the labelled prompts, or none.
        share: The share of the prompts to sample, 0 to 1: of each category, or by novelty of all.
        models: The models that answer; all candidates by default.
        seed: The seed of the sample.
        repeat: How many times each model answers each prompt: repeats tell how much of a score is chance.

    Raises:
        UsageError: There is no prompt, or fewer than two models.
        SettingsError: A model is not in the settings, or has no price.
    """
    names = tuple(dict.fromkeys(models)) or tuple(model.name for model in settings.candidates)
    if len(names) < 2:
        raise UsageError("judges compare answers: name at least two models")
    considered, chosen = _sampled(prompts, share, seed)
    if not considered:
        raise UsageError("there are no prompts to choose from")
    with store.read() as connection:
        paid = samples.paid_answers(connection, [candidate.item for candidate in chosen], names)
    models_of = {model.name: model.known_capabilities for model in settings.models if model.name in names}
    with closing(Screen(models_of, names)) as screen:
        sampled = [
            Sample(_screened(candidate.item, screen, answers), candidate.category, answers)
            for number in range(repeat)
            for candidate, answers in zip(chosen, _nth_answers(paid, number), strict=True)
        ]
    planned = CollectionPlan(sampled, names, considered, repeat)
    return replace(planned, costs=_costs(settings, planned))


def _costs(settings: Settings, planned: CollectionPlan) -> dict[str, CallCosts]:
    limits = {name: settings.model(name).answer_tokens for name in planned.models}
    asked = [(model, planned.samples[index].parsed) for index, model in planned.missing]
    return costs_by_model(
        settings,
        (
            (
                model,
                Call(one.body, one.messages, endpoint_of(one.endpoint).limit(one.max_tokens, limits[model])),
            )
            for model, one in asked
        ),
    )


def _nth_answers(paid: Iterable[Mapping[str, Sequence[int]]], number: int) -> Iterator[dict[str, int]]:
    """Yield, for each prompt, the answer with this number, from 0, of each model that has so many."""
    for answers in paid:
        yield {model: found[number] for model, found in answers.items() if number < len(found)}


def _sampled(
    prompts: Iterable[CategorisedPrompt], share: float, seed: int
) -> tuple[int, list[Candidate[ParsedRequest]]]:
    """Return the number of prompts and the chosen ones."""
    by_category: Sampler[ParsedRequest] = Sampler(share, seed=seed)
    by_novelty: NoveltySampler[ParsedRequest] = NoveltySampler(share, seed=seed)
    considered = 0
    for considered, one in enumerate(prompts, start=1):  # noqa: B007
        candidate = Candidate(one.parsed.prompt, one.category, one.parsed, one.uncertainty)
        if one.position is None:
            by_category.add(candidate)
        else:
            by_novelty.add(candidate, one.position)
    return considered, [*by_category.chosen(), *by_novelty.chosen()]


def _screened(parsed: ParsedRequest, screen: Screen, paid_answers: Mapping[str, int]) -> ParsedRequest:
    """Return the request with the models that cannot answer it, unless they have."""
    needs = needs_of(json.loads(parsed.body), screen.extra, endpoint=parsed.endpoint)
    reasons = screen.left_out(parsed._replace(model=None, needs=needs))
    return parsed._replace(left_out={name: reasons[name] for name in reasons if name not in paid_answers})
