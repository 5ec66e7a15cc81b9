"""What a batch would cost, before anything is called: counts and sums over one reading of its lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt

from router_core.pricing import CHARACTERS_PER_TOKEN, MICROS_PER_DOLLAR, expected_costs, worst_case_micros
from tasks.formats.requests import InputError, ParsedRequest
from tasks.settings import ModelSettings, Settings
from tasks.store import ingestion
from tasks.store.values import BatchOptions
from tasks.submission.disk_set import DiskSet
from tasks.submission.source import Item

#: prompts to the models that would answer them, in the same order
Route = Callable[[Sequence[str]], Sequence[str]]

CHUNK = 256


@dataclass(frozen=True, slots=True)
class ModelEstimate:
    """What the batch would cost if this model answered every request that names none, in dollars."""

    model: str
    cost_usd: float
    worst_usd: float


@dataclass(frozen=True, slots=True)
class Mix:
    """Where the router would send the requests, and what that would cost, in dollars.

    models: requests per model, duplicates not counted.
    """

    models: dict[str, int]
    cost_usd: float
    worst_usd: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a batch file holds and would cost; a duplicate costs nothing.

    invalid: bad lines by their code. input_tokens: an estimate for the requests that would be called.
    mix: None where no router was given. extra_calls: how many more calls exploration will probably make; all
    costs count them.
    """

    requests: int
    duplicates: int
    invalid: dict[str, int]
    input_tokens: int
    models: tuple[ModelEstimate, ...]
    mix: Mix | None
    extra_calls: int = 0


def estimate(
    items: Iterable[Item], settings: Settings, *, options: BatchOptions, route: Route | None = None
) -> Estimate:
    """Read the lines once and estimate their cost on each model the batch may use, in memory that stays flat.

    Expected costs assume a model's `expected_tokens` per answer (or the request's limit, if lower); the worst
    case is what dispatch would reserve. Of exploration, whose draws nobody knows yet, both count the mean.
    """
    tally = _Tally(settings, options)
    lines = _Lines(options.dedupe)
    called = lines.called(items)
    while chunk := list(islice(called, CHUNK)):
        tally.add(chunk, route)
    return Estimate(
        requests=lines.requests,
        duplicates=lines.duplicates,
        invalid=dict(lines.invalid),
        input_tokens=tally.input_tokens,
        models=tally.per_model(),
        mix=tally.mix() if route else None,
        extra_calls=round(tally.extra_calls),
    )


class _Lines:
    """Sorts lines into requests to call, duplicates and errors, as intake would."""

    def __init__(self, dedupe: bool) -> None:
        self._dedupe = dedupe
        self.requests = self.duplicates = 0
        self.invalid: Counter[str] = Counter()

    def called(self, items: Iterable[Item]) -> Iterator[ParsedRequest]:
        with DiskSet() as ids, DiskSet() as bodies:
            for item in items:
                if isinstance(item, ParsedRequest) and not ids.add(item.custom_id.encode()):
                    item = ingestion.repeated_id(item)
                if isinstance(item, InputError):
                    self.invalid[item.code] += 1
                    continue
                self.requests += 1
                if self._dedupe and not bodies.add(ingestion.identity(item)):
                    self.duplicates += 1
                else:
                    yield item


class _Tally:
    """Sums of cost, per model and along the router's choices."""

    def __init__(self, settings: Settings, options: BatchOptions) -> None:
        self._models = settings.models
        self._names = [model.name for model in self._models]
        self._wanted = options.models or [model.name for model in settings.candidates]
        self._open = [self._names.index(name) for name in self._wanted]
        self._explore = 0.0 if options.route_only else options.explore
        self.input_tokens = 0
        self.extra_calls = 0.0
        # One row of expected and one of worst-case dollars; a column for each model.
        self._if_all = np.zeros((2, len(self._models)))
        self._routed = np.zeros(2)
        self._chosen: Counter[str] = Counter()

    def add(self, chunk: Sequence[ParsedRequest], route: Route | None) -> None:
        costs = _costs(chunk, self._models)
        self.input_tokens += sum(-(-len(item.body) // CHARACTERS_PER_TOKEN) for item in chunk)
        for row, item in enumerate(chunk):
            if item.model is None:
                costs[:, row] = self._explored(costs[:, row])
                self._if_all += costs[:, row]
            else:
                self._if_all += costs[:, row, [self._names.index(item.model)]]
        if route is not None:
            self._follow(chunk, costs, route([item.prompt for item in chunk]))

    def per_model(self) -> tuple[ModelEstimate, ...]:
        columns = zip(self._names, *self._if_all.tolist(), strict=True)
        return tuple(ModelEstimate(*column) for column in columns if column[0] in self._wanted)

    def mix(self) -> Mix:
        return Mix(dict(self._chosen), *self._routed.tolist())

    def _explored(self, costs: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return what a request costs on each model, [2, m], if by chance all candidates answer it instead."""
        if not self._explore:
            return costs
        self.extra_calls += self._explore * (len(self._open) - 1)
        everyone = costs[:, self._open].sum(axis=1, keepdims=True)
        return np.asarray((1 - self._explore) * costs + self._explore * everyone)

    def _follow(
        self, chunk: Sequence[ParsedRequest], costs: npt.NDArray[np.float64], routed: Sequence[str]
    ) -> None:
        chosen = [item.model or model for item, model in zip(chunk, routed, strict=True)]
        columns = [self._names.index(model) for model in chosen]
        self._routed += costs[:, np.arange(len(chunk)), columns].sum(axis=1)
        self._chosen.update(chosen)


def _costs(chunk: Sequence[ParsedRequest], models: Sequence[ModelSettings]) -> npt.NDArray[np.float64]:
    """Expected and worst-case dollars, float64 [2, n requests, m models]."""
    prices = [model.price for model in models]
    answers = [[min(item.max_tokens or m.max_tokens, m.expected_tokens) for m in models] for item in chunk]
    expected = expected_costs(
        [len(item.body) for item in chunk], prices, output_tokens=np.array(answers, dtype=np.float64)
    )
    worst = [[_worst_micros(item, model) for model in models] for item in chunk]
    return np.stack([expected, np.array(worst) / MICROS_PER_DOLLAR])


def _worst_micros(item: ParsedRequest, model: ModelSettings) -> int:
    """Return what dispatch would reserve for one call, in micro-dollars."""
    return worst_case_micros(
        input_bytes=len(item.body.encode()),
        messages=item.messages,
        max_tokens=item.max_tokens or model.max_tokens,
        price=model.price,
    )
