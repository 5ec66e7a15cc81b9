"""Collecting: a sample of prompts is answered by every candidate, so that judges have something to compare.

The answers that are missing become an ordinary batch whose requests name their model. So budget, retries,
leases and the ledger are those of any batch, and an answer that any batch has paid for is not bought again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from router_core.data.sampling import Candidate, Sampler
from tasks.errors import UsageError
from tasks.formats.inputs.messages import prompt_of
from tasks.formats.requests import ParsedRequest
from tasks.settings import Settings
from tasks.store import batches, ingestion
from tasks.store.engine import Store
from tasks.store.learning import samples
from tasks.store.learning.samples import Sample
from tasks.submission import submit

#: requests per statement of the one transaction
_SLICE = 2_000


@dataclass(frozen=True, slots=True)
class Categorised:
    """A prompt that may be sampled; doubt: how unsure the router is of it, 0 to 1 (`sampling.doubts`)."""

    parsed: ParsedRequest
    category: str | None = None
    doubt: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """What is collected: `reused` answers were paid for before, `bought` ones are called now.

    batch_id is None where nothing was stored (`plan`).
    """

    batch_id: str | None
    considered: int
    prompts: int
    models: tuple[str, ...]
    reused: int
    bought: int
    categories: dict[str, int]


@dataclass(frozen=True, slots=True)
class Plan:
    """The sample, and what it needs."""

    samples: Sequence[Sample]
    models: tuple[str, ...]
    considered: int

    @property
    def missing(self) -> list[tuple[int, str]]:
        """(index of the sample, model) of each answer that must be bought."""
        indexed = enumerate(self.samples)
        return [(index, model) for index, one in indexed for model in self.models if model not in one.paid]

    def summary(self, batch_id: str | None = None) -> Collection:
        """Return the plan in figures."""
        bought, names = len(self.missing), [one.category or "-" for one in self.samples]
        return Collection(
            batch_id=batch_id,
            considered=self.considered,
            prompts=len(self.samples),
            models=self.models,
            reused=len(self.samples) * len(self.models) - bought,
            bought=bought,
            categories={name: names.count(name) for name in sorted(set(names))},
        )


def from_batch(store: Store, batch_id: str) -> Iterator[Categorised]:
    """Yield the prompts of a stored batch, by the categories that they were routed in; raises UsageError."""
    with store.read() as connection:
        source = batches.find(connection, batch_id)
        if source["purpose"] != batches.ANSWER:
            raise UsageError(f"{batch_id} was not submitted by anybody: nothing to collect from it")
        for row, category in samples.prompts_of_batch(connection, source["no"]):
            prompt = prompt_of(json.loads(row["body"])["messages"])
            parsed = ParsedRequest(
                row["line"],
                row["custom_id"],
                row["model"],
                row["body"],
                row["messages"],
                prompt,
                row["max_tokens"],
            )
            yield Categorised(parsed, category)


def plan(
    store: Store,
    settings: Settings,
    prompts: Iterable[Categorised],
    *,
    share: float,
    models: Sequence[str] = (),
    seed: int = 0,
) -> Plan:
    """Choose the sample and find what was paid for; nothing is stored.

    share: of each category's prompts, 0 to 1. models: those that answer, all candidates by default.

    Raises:
        UsageError: There is no prompt, or fewer than two models.
    """
    names = tuple(dict.fromkeys(models)) or tuple(model.name for model in settings.candidates)
    if len(names) < 2:
        raise UsageError("judges compare answers: name at least two models")
    sampler: Sampler[ParsedRequest] = Sampler(share, seed=seed)
    considered = 0
    for one in prompts:
        sampler.add(Candidate(one.parsed.prompt, one.category, one.parsed, one.doubt))
        considered += 1
    if not considered:
        raise UsageError("there are no prompts to choose from")
    chosen = list(sampler.chosen())
    with store.read() as connection:
        paid = samples.paid_answers(connection, [one.item.body for one in chosen], names)
    found = [Sample(one.item, one.category, known) for one, known in zip(chosen, paid, strict=True)]
    return Plan(found, names, considered)


def collect(
    store: Store, settings: Settings, planned: Plan, *, source: str, budget: int | None = None
) -> Collection:
    """Store the plan as a batch of purpose `collect`, whole or not at all; workers begin on it at once.

    source: where the prompts come from, as people know it. budget: micro-dollars, None for no cap.

    Raises:
        SettingsError: There are no models, or one without a price.
        UsageError: A model is not among them, or cannot be counted against a budget.
    """
    options = submit.options_for(settings, models=planned.models)
    batches.check_budget(options, budget)
    missing = list(enumerate(planned.missing, start=1))
    requests = [
        _request(planned.samples[index].parsed, index, model, line) for line, (index, model) in missing
    ]
    with store.write() as connection:
        row = batches.create(
            connection, source=source, options=options, budget=budget, purpose=samples.COLLECT
        )
        for start in range(0, len(requests), _SLICE):
            ingestion.ingest(connection, row["no"], options, requests[start : start + _SLICE])
        samples.add(connection, row["no"], planned.samples, {key: line for line, key in missing})
        ingestion.finish(connection, row["no"])
    return planned.summary(row["id"])


def _request(parsed: ParsedRequest, index: int, model: str, line: int) -> ParsedRequest:
    return replace(parsed, custom_id=f"{index + 1}:{model}", model=model, line=line)
