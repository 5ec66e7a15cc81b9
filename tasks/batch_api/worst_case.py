"""The most that the requests of a batch can cost: what its key's budget sets aside for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tasks.endpoints.registry import endpoint_of
from tasks.formats.requests import ParsedRequest
from tasks.money.call_costs import demand_of, worst_case_of
from tasks.settings import Settings
from tasks.store.batch_options import BatchOptions
from tasks.submission.source import Item

#: a call may have to be made again after one that was paid for
_CALLS = 2


class WorstCase:
    """Sums up the worst case of lines that pass through it, in micro-dollars."""

    def __init__(self, settings: Settings, options: BatchOptions) -> None:
        self._models = {model.name: model for model in settings.models}
        self._candidates = options.models or tuple(model.name for model in settings.candidates)
        self._prices = {name: options.price(name) for name in self._models}
        self.micros = 0

    def over(self, items: Iterable[Item]) -> Iterator[Item]:
        """Yield the items; the sum is that of the last time that they were read."""
        self.micros = 0
        for item in items:
            if isinstance(item, ParsedRequest):
                self.micros += _CALLS * self._of(item)
            yield item

    def _of(self, item: ParsedRequest) -> int:
        demand = demand_of(item.body, body_bytes=len(item.body.encode()), messages=item.messages)
        endpoint, worst = endpoint_of(item.endpoint), 0
        for name in (item.model,) if item.model else self._candidates:
            model, price = self._models[name], self._prices[name]
            if price is not None:
                limit = endpoint.limit(item.max_tokens, model.answer_tokens)
                worst = max(worst, worst_case_of(demand, model, max_tokens=limit, price=price))
        return worst
