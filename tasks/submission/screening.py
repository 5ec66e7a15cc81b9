"""The screening of a batch's requests before they are stored: which models can answer each of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from functools import cached_property, lru_cache

from tasks.capabilities.capabilities import Capabilities, Demand
from tasks.capabilities.least_tokens import least_tokens, likely_tokens
from tasks.capabilities.left_out import left_out, refusal
from tasks.content.bounds import media_of
from tasks.endpoints.endpoint import CHAT_PATH
from tasks.endpoints.registry import endpoint_of
from tasks.formats.requests import InputError, ParsedRequest
from tasks.store.values import BatchOptions
from tasks.submission.source import BatchInput, Item

#: the most tokens that a character is taken for: four bytes of UTF-8
_MAX_TOKENS = likely_tokens(4)
_UNLIMITED = 2**62
_NO_CANDIDATE = "it names no model, and none of the models may be routed to"


class Screen:
    """The candidates of a batch, and the requests that not all of them can answer.

    A request that names no model keeps the names of those that cannot answer it; where none can, and where
    the model that it names cannot, its line is refused.
    """

    def __init__(self, models: Mapping[str, Capabilities], candidates: Collection[str] = ()) -> None:
        """Screen for these models.

        Args:
            models: The models that a request may name.
            candidates: Those among which the others are routed; by default all that prompts may go to.
        """
        self._models = models
        self._candidates = {
            name: one for name, one in models.items() if (name in candidates if candidates else one.routed)
        }
        self._not_all_chat = any(CHAT_PATH in one.cannot for one in models.values())
        self._left_out = lru_cache(maxsize=4096)(self._compute)
        #: a body of this many characters, and an answer of this many tokens, are within every model's limits
        self._short = min((_surely_short(one) for one in models.values()), default=_UNLIMITED)
        self._output = min((_surely_within(one) for one in models.values()), default=_UNLIMITED)

    @classmethod
    def of(cls, options: BatchOptions) -> Screen:
        """Return the screen for a batch with these options."""
        rows = options.capabilities.items()
        return cls({name: Capabilities.from_row(row) for name, row in rows}, options.models)

    @cached_property
    def extra(self) -> frozenset[str]:
        """The parameters beyond OpenAI's API that some model takes."""
        return frozenset().union(*(one.extra for one in self._models.values()))

    def over(self, items: Iterable[Item]) -> Iterable[Item]:
        """Return the lines after screening; they can be read as often as the given ones."""
        if iter(items) is items:
            return map(self.screened, items)
        return BatchInput(lambda: map(self.screened, items))

    def screened(self, item: Item) -> Item:
        """Return a line with the models that it leaves out, or the error of one that no model can answer."""
        if isinstance(item, InputError):
            return item
        if item.model is None and self._models and not self._candidates:
            return InputError(item.line, "no_capable_model", _NO_CANDIDATE, item.custom_id)
        reasons = self.left_out(item)
        if reasons and len(reasons) == (1 if item.model else len(self._candidates)):
            reason = refusal(reasons, named=item.model is not None)
            return InputError(item.line, "no_capable_model", reason, item.custom_id)
        return replace(item, left_out=reasons) if reasons else item

    def left_out(self, item: ParsedRequest) -> Mapping[str, str]:
        """Return the models that cannot answer a request, with the reasons: its own one, or candidates."""
        if self._is_plain(item) or not self._models:
            return {}
        return self._left_out(item.model, self._demand_of(item))

    def _is_plain(self, item: ParsedRequest) -> bool:
        """Return whether every model can answer a request, which costs next to nothing to find out."""
        is_common = not item.needs and not (self._not_all_chat and item.endpoint == CHAT_PATH)
        return is_common and self._is_short(item)

    def _is_short(self, item: ParsedRequest) -> bool:
        return len(item.body) <= self._short and (item.max_tokens or 0) <= self._output

    def _demand_of(self, item: ParsedRequest) -> Demand:
        needs = item.needs | {CHAT_PATH} if item.endpoint == CHAT_PATH and self._not_all_chat else item.needs
        if self._is_short(item) or not endpoint_of(item.endpoint).routed:
            return Demand(needs, item.max_tokens, 0, 0)
        media = media_of(item.body)
        likely = likely_tokens(len(item.body.encode()) - media.bytes) + media.likely
        least = least_tokens(item.body, no_text=media.characters)
        return Demand(needs, item.max_tokens, least, likely)

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
