"""The cost estimate of a batch, from one pass over its lines and before any call is made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from itertools import islice

import numpy as np
import numpy.typing as npt

from router_core.monitoring.familiarity import Familiarity
from router_core.pricing import CHARACTERS_PER_TOKEN, MICROS_PER_DOLLAR, Price
from tasks.content.bounds import media_of
from tasks.endpoints.registry import endpoint_of
from tasks.formats.determinism import Dedupe, is_deterministic_body
from tasks.formats.requests import InputError, ParsedRequest, request_hash
from tasks.money.call_costs import demand_of, worst_case_of
from tasks.money.expected_costs import Lengths, costs_of, lengths_of
from tasks.settings import ModelSettings, Settings
from tasks.store import ingestion
from tasks.store.batch_options import BatchOptions
from tasks.submission.disk_set import DiskSet
from tasks.submission.estimate_values import Estimate, Mix, ModelEstimate, Route, RoutedPrompts
from tasks.submission.screening import Screen
from tasks.submission.source import Item

#: lines that are routed and priced together
SLICE_LINES = 256
#: bad lines that an estimate names
BAD_LINES = 20


def estimate(
    items: Iterable[Item],
    settings: Settings,
    *,
    options: BatchOptions,
    route: Route | None = None,
    on_error: Callable[[InputError], None] = lambda _: None,
) -> Estimate:
    """Estimate the cost of a batch on each model that it may use, in one pass and constant memory.

    The expected cost assumes that an answer is as long as the router's labels say for its kind, else
    `expected_tokens` of the model, or the request's own limit if that is lower. The worst case is what
    dispatch would reserve. Exploration draws requests at random, so both include its mean. `on_error` is
    called with each bad line.
    """
    costs = _CostSums(settings, options)
    lines = _LineCounter(options.dedupe, on_error)
    with closing(Screen.of(options)) as screen:
        requests = lines.unique_requests(screen.over(items))
        while part := list(islice(requests, SLICE_LINES)):
            costs.add(part, route)
        dropped = screen.dropped()
    return Estimate(
        requests=lines.requests,
        duplicates=lines.duplicates,
        random_duplicates=lines.random_duplicates,
        bad_lines=tuple(lines.bad_lines),
        invalid=dict(lines.invalid),
        input_tokens=costs.input_tokens,
        models=costs.per_model(),
        mix=costs.mix() if route else None,
        extra_calls=round(costs.extra_calls),
        dropped=dropped,
    )


class _LineCounter:
    """The counts of requests, duplicates and bad lines, by the rules of `ingestion`."""

    def __init__(self, dedupe: Dedupe, on_error: Callable[[InputError], None]) -> None:
        self._dedupe = dedupe
        self._on_error = on_error
        self.requests = self.duplicates = self.random_duplicates = 0
        self.invalid: Counter[str] = Counter()
        self.bad_lines: list[InputError] = []

    def unique_requests(self, items: Iterable[Item]) -> Iterator[ParsedRequest]:
        """Yield the requests that would be called, and count every line."""
        with DiskSet() as ids, DiskSet() as bodies:
            for item in items:
                if isinstance(item, ParsedRequest) and not ids.add(item.custom_id.encode()):
                    item = ingestion.repeated_id(item)
                if isinstance(item, InputError):
                    self._refuse(item)
                    continue
                self.requests += 1
                if not self._is_duplicate(item, bodies):
                    yield item

    def _refuse(self, error: InputError) -> None:
        self.invalid[error.code] += 1
        if len(self.bad_lines) < BAD_LINES:
            self.bad_lines.append(error)
        self._on_error(error)

    def _is_duplicate(self, item: ParsedRequest, bodies: DiskSet) -> bool:
        """Count a request that an earlier one answers, by the rules of `ingestion`."""
        identity = request_hash(item.model, item.body, item.endpoint)
        if self._dedupe == "off" or bodies.add(identity):
            return False
        if not is_deterministic_body(item.body, item.endpoint):
            if self._dedupe == "deterministic":
                return False
            self.random_duplicates += 1
        self.duplicates += 1
        return True


class _CostSums:
    """The sums of cost, per model and for the models that the router chooses."""

    def __init__(self, settings: Settings, options: BatchOptions) -> None:
        self._models = settings.models
        self._names = [model.name for model in self._models]
        self._candidates = options.models or [model.name for model in settings.candidates]
        self._candidate_columns = [self._names.index(name) for name in self._candidates]
        self._explore = 0.0 if options.route_only else options.explore
        self.input_tokens = 0
        self.extra_calls = 0.0
        # Row 0: expected dollars; row 1: worst-case dollars; one column per model.
        self._by_model = np.zeros((2, len(self._models)))
        self._routed = np.zeros(2)
        self._chosen: Counter[str] = Counter()
        self._familiarity: Familiarity | None = None
        # The sums of expected, low and high answer tokens, and the number of answers, by model.
        self._answers = np.zeros((4, len(self._models)))

    def add(self, requests: Sequence[ParsedRequest], route: Route | None) -> None:
        routed = None if route is None else _routed(requests, route)
        limits = np.array([[_limit(request, model) for model in self._models] for request in requests])
        tokens = self._tokens(limits.astype(np.float64), routed)
        costs = _costs(requests, lengths_of(requests), self._models, tokens)
        self.input_tokens += sum(map(_input_tokens, requests))
        for row, request in enumerate(requests):
            if request.model is None:
                if endpoint_of(request.endpoint).answers_text:
                    costs[:, row] = self._with_exploration(costs[:, row])
                self._by_model += costs[:, row]
            else:
                self._by_model += costs[:, row, [self._names.index(request.model)]]
        if routed is not None:
            self._add_routed(requests, costs, routed)

    def per_model(self) -> tuple[ModelEstimate, ...]:
        columns = zip(self._names, *self._by_model.tolist(), self._answers.T.tolist(), strict=True)
        return tuple(
            ModelEstimate(name, cost, worst, _mean_tokens(answers))
            for name, cost, worst, answers in columns
            if name in self._candidates
        )

    def _tokens(
        self, limits: npt.NDArray[np.float64], routed: RoutedPrompts | None
    ) -> npt.NDArray[np.float64]:
        """Return the expected lengths of answers [n, m], no longer than their limits."""
        tokens = np.tile([float(model.expected_tokens) for model in self._models], (len(limits), 1))
        if routed is not None and routed.answers is not None:
            for column, name in enumerate(routed.names):
                known, place = routed.answers.tokens[:, column], self._names.index(name)
                if np.isfinite(known).all():
                    tokens[:, place] = known
                    low, high = (factor * known for factor in routed.answers.interval[:, column])
                    capped = np.minimum(limits[:, place], [known, low, high]).sum(axis=1)
                    self._answers[:, place] += [*capped, len(known)]
        return np.asarray(np.minimum(limits, tokens))

    def mix(self) -> Mix:
        expected, worst = self._routed.tolist()
        return Mix(dict(self._chosen), expected, worst, self._familiarity)

    def _with_exploration(self, costs: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the mean costs [2, m] of a request that all candidates answer with probability `explore`."""
        if not self._explore:
            return costs
        self.extra_calls += self._explore * (len(self._candidate_columns) - 1)
        all_candidates = costs[:, self._candidate_columns].sum(axis=1, keepdims=True)
        return np.asarray((1 - self._explore) * costs + self._explore * all_candidates)

    def _add_routed(
        self, requests: Sequence[ParsedRequest], costs: npt.NDArray[np.float64], routed: RoutedPrompts
    ) -> None:
        chosen = [request.model or model for request, model in zip(requests, routed.models, strict=True)]
        columns = [self._names.index(model) for model in chosen]
        self._routed += costs[:, np.arange(len(requests)), columns].sum(axis=1)
        self._chosen.update(chosen)
        if routed.familiarity is not None:
            before = self._familiarity
            self._familiarity = routed.familiarity if before is None else before + routed.familiarity


def _input_tokens(request: ParsedRequest) -> int:
    media = media_of(request.body)
    return -(-(len(request.body) - media.characters) // CHARACTERS_PER_TOKEN) + media.likely


def _routed(requests: Sequence[ParsedRequest], route: Route) -> RoutedPrompts:
    prompts = [request.prompt for request in requests]
    left_out = [request.left_out or () for request in requests]
    return route(prompts, left_out if any(left_out) else (), lengths_of(requests))


def _mean_tokens(sums: Sequence[float]) -> tuple[float, float, float] | None:
    expected, low, high, answers = sums
    return (expected / answers, low / answers, high / answers) if answers else None


def _costs(
    requests: Sequence[ParsedRequest],
    lengths: Lengths,
    models: Sequence[ModelSettings],
    tokens: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Return the expected and the worst-case dollars, float64 [2, n requests, m models].

    `tokens` are the expected lengths of the answers [n, m].
    """
    prices = [model.price for model in models]
    expected = costs_of(lengths, prices, tokens)
    worst = [_worst_micros(request, models, prices) for request in requests]
    return np.stack([expected, np.array(worst) / MICROS_PER_DOLLAR])


def _limit(item: ParsedRequest, model: ModelSettings) -> int:
    return endpoint_of(item.endpoint).limit(item.max_tokens, model.answer_tokens)


def _worst_micros(item: ParsedRequest, models: Sequence[ModelSettings], prices: Sequence[Price]) -> list[int]:
    """Return what dispatch would reserve for one call of each model, in micro-dollars."""
    demand = demand_of(item.body, body_bytes=len(item.body.encode()), messages=item.messages)
    return [
        worst_case_of(demand, model, max_tokens=_limit(item, model), price=price)
        for model, price in zip(models, prices, strict=True)
    ]
