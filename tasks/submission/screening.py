"""The screening of a batch's requests before they are stored: which models can answer each of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache

from tasks.capabilities.capabilities import Capabilities, Demand
from tasks.capabilities.least_tokens import least_tokens, likely_tokens
from tasks.capabilities.left_out import left_out, refusal
from tasks.content.bounds import media_of
from tasks.endpoints.registry import endpoint_of
from tasks.formats.requests import InputError, ParsedRequest
from tasks.store.values import BatchOptions
from tasks.submission.source import BatchInput, Item

#: the most tokens that a character is taken for: four bytes of UTF-8
_MAX_TOKENS = likely_tokens(4)
_UNLIMITED = 2**62


class Screen:
    """The candidates of a batch, and the requests that not all of them can answer.

    A request that names no model keeps the names of those that cannot answer it; where none can, and where
    the model that it names cannot, its line is refused.
    """

    def __init__(self, options: BatchOptions) -> None:
        rows = options.capabilities
        self._models = {name: Capabilities.from_row(row) for name, row in rows.items()}
        self._candidates = {
            name: one
            for name, one in self._models.items()
            if (name in options.models if options.models else one.routed)
        }
        self._left_out = lru_cache(maxsize=4096)(self._compute)
        models = self._models.values()
        #: a body of this many characters, and an answer of this many tokens, are within every model's limits
        self._short = min((_surely_short(one) for one in models), default=_UNLIMITED)
        self._output = min((_surely_within(one) for one in models), default=_UNLIMITED)

    def over(self, items: Iterable[Item]) -> Iterable[Item]:
        """Return the lines after screening; they can be read as often as the given ones."""
        if iter(items) is items:
            return map(self.screened, items)
        return BatchInput(lambda: map(self.screened, items))

    def screened(self, item: Item) -> Item:
        """Return a line with the models that it leaves out, or the error of one that no model can answer."""
        if isinstance(item, InputError) or self._is_plain(item) or not self._models:
            return item
        reasons = self._left_out(item.model, self._demand_of(item))
        if len(reasons) == (1 if item.model else len(self._candidates)):
            return InputError(item.line, "no_capable_model", refusal(dict(reasons)), item.custom_id)
        return replace(item, left_out=dict(reasons)) if reasons else item

    def _is_plain(self, item: ParsedRequest) -> bool:
        """Return whether every model can answer a request, which costs next to nothing to find out."""
        return not item.needs and self._is_short(item)

    def _is_short(self, item: ParsedRequest) -> bool:
        return len(item.body) <= self._short and (item.max_tokens or 0) <= self._output

    def _demand_of(self, item: ParsedRequest) -> Demand:
        if self._is_short(item) or not endpoint_of(item.endpoint).routed:
            return Demand(item.needs, item.max_tokens, 0, 0)
        media = media_of(item.body)
        likely = likely_tokens(len(item.body.encode()) - media.characters) + media.likely
        least = least_tokens(item.body, no_text=media.characters)
        return Demand(item.needs, item.max_tokens, least, likely)

    def _compute(self, model: str | None, demand: Demand) -> Mapping[str, str]:
        return left_out(demand, {model: self._models[model]} if model else self._candidates)


def _surely_short(model: Capabilities) -> int:
    """Return a length in characters of which a body leaves half of the context window to its answer."""
    window = model.context_window
    return _UNLIMITED if window is None else min(window // 2, window - model.answer_tokens) // _MAX_TOKENS


def _surely_within(model: Capabilities) -> int:
    """Return a limit of an answer that is within the model's, and within half of its context window."""
    window = model.context_window
    return min(model.max_output or _UNLIMITED, _UNLIMITED if window is None else window // 2)
