"""The screening of a batch's requests before they are stored: which models can answer each of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cached_property, lru_cache
from typing import Any

from tasks.capabilities.capabilities import Capabilities, Demand
from tasks.capabilities.least_tokens import least_tokens, likely_tokens
from tasks.capabilities.left_out import left_out, refusal
from tasks.content.bounds import media_of
from tasks.endpoints.endpoint import CHAT_PATH
from tasks.endpoints.registry import endpoint_of
from tasks.formats.requests import InputError, ParsedRequest
from tasks.parameters.samples import samples_of
from tasks.store.batch_options import BatchOptions
from tasks.submission.dropped import DroppedParameters
from tasks.submission.source import BatchInput, Item

#: the most tokens that a character is taken for: four bytes of UTF-8
_MAX_TOKENS = likely_tokens(4)
_UNLIMITED = 2**62
_WITH_CHAT = frozenset((CHAT_PATH,))
_NO_CANDIDATE = "it names no model, and none of the models may be routed to"
#: the parameters without which an answer is not what a request needs
_ESSENTIAL = {
    "tools": ("tools", "functions"),
    "json_schema": ("response_format",),
    "logprobs": ("logprobs",),
    "audio_output": ("modalities",),
    "image_output": ("modalities",),
}


class Screen:
    """The candidates of a batch, and the requests that not all of them can answer.

    A request that names no model keeps the names of those that cannot answer it; where none can, and where
    the model that it names cannot, its line is refused.
    """

    def __init__(
        self,
        models: Mapping[str, Capabilities],
        candidates: Collection[str] = (),
        *,
        strict_params: bool = False,
        dropped: DroppedParameters | None = None,
    ) -> None:
        """Screen for these models.

        Args:
            models: The models that a request may name.
            candidates: Those among which the others are routed; by default all that prompts may go to.
            strict_params: Whether a model that does not take a parameter cannot answer.
            dropped: What LiteLLM drops.
        """
        self._models = models
        self._candidates = {
            name: one for name, one in models.items() if (name in candidates if candidates else one.routed)
        }
        self._not_all_chat = any(CHAT_PATH in one.cannot for one in models.values())
        self._strict = strict_params
        self._dropped = dropped or DroppedParameters()
        self._left_out = lru_cache(maxsize=4096)(self._compute)
        #: requests by their own model, the models that they leave out, and the samples of their parameters
        self._seen: Counter[tuple[str | None, frozenset[str], str]] = Counter()
        self._has_adapters = any(one.adapter for one in models.values())
        #: a body of this many characters, and an answer of this many tokens, are within every model's limits
        self._short = min((_surely_short(one) for one in models.values()), default=_UNLIMITED)
        self._output = min((_surely_within(one) for one in models.values()), default=_UNLIMITED)

    @classmethod
    def of(cls, options: BatchOptions) -> Screen:
        """Return the screen for a batch with these options."""
        rows = options.capabilities.items()
        models = {name: Capabilities.from_row(row) for name, row in rows}
        return cls(models, options.models, strict_params=options.strict_params)

    @cached_property
    def extra(self) -> frozenset[str]:
        """The parameters beyond OpenAI's API that some model takes."""
        return frozenset().union(*(one.extra for one in self._models.values()))

    def over(self, items: Iterable[Item]) -> Iterable[Item]:
        """Return the lines after screening; they can be read as often as the given ones."""
        if iter(items) is items:
            return self._screened(items)
        return BatchInput(lambda: self._screened(items))

    def dropped(self) -> dict[str, dict[str, int]]:
        """Return how many of the lines lose each parameter at each model that may answer them."""
        counts: dict[str, Counter[str]] = {}
        for (model, absent, samples), number in self._seen.items():
            for name, adapter in self._adapters(model):
                for parameter in self._dropped.of(adapter, samples) if name not in absent else ():
                    counts.setdefault(parameter, Counter())[name] += number
        return {parameter: dict(counts[parameter]) for parameter in sorted(counts)}

    def close(self) -> None:
        """End what was started to ask LiteLLM."""
        self._dropped.close()

    def left_out(self, item: ParsedRequest) -> Mapping[str, str]:
        """Return the models that cannot answer a request, with the reasons: its own one, or candidates."""
        samples = self._samples(item) if item.needs or self._strict else ""
        denied = self._denied(item, samples) if samples else ()
        needs = item.needs
        if self._not_all_chat and item.endpoint == CHAT_PATH:
            needs = needs | _WITH_CHAT
        if not denied and not needs and self._is_short(item):
            return {}
        return self._left_out(item.model, self._demand_of(item, needs, denied)) if self._models else {}

    def _screened(self, items: Iterable[Item]) -> Iterator[Item]:
        self._seen.clear()
        return map(self._one, items)

    def _one(self, item: Item) -> Item:
        """Return a line with the models that it leaves out, or the error of one that no model can answer."""
        if isinstance(item, InputError) or self._is_plain(item):
            return item
        if item.model is None and self._models and not self._candidates:
            return InputError(item.line, "no_capable_model", _NO_CANDIDATE, item.custom_id)
        reasons = self.left_out(item)
        if reasons and len(reasons) == (1 if item.model else len(self._candidates)):
            reason = refusal(reasons, named=item.model is not None)
            return InputError(item.line, "no_capable_model", reason, item.custom_id)
        if samples := self._samples(item):
            self._seen[item.model, frozenset(reasons), samples] += 1
        return item._replace(left_out=reasons) if reasons else item

    def _samples(self, item: ParsedRequest) -> str:
        if not self._has_adapters or not item.parameters or item.endpoint != CHAT_PATH:
            return ""
        try:
            return _cached_samples(tuple(item.parameters.items()))
        except TypeError:  # an object or a list among the values
            return samples_of(item.parameters)

    def _adapters(self, model: str | None) -> list[tuple[str, str]]:
        """Return the models that may answer a request and LiteLLM's names of them, where it may drop any."""
        models = {model: self._models[model]} if model else self._candidates
        return [(name, one.adapter) for name, one in models.items() if one.adapter]

    def _denied(self, item: ParsedRequest, samples: str) -> tuple[tuple[str, str], ...]:
        """Return the models that do not take a parameter that matters, with what they lack."""
        found: list[tuple[str, str]] = []
        for name, adapter in self._adapters(item.model):
            dropped = self._dropped.of(adapter, samples)
            needs = item.needs - self._models[name].can
            lacking = [need for need in needs if not dropped.isdisjoint(_ESSENTIAL.get(need, ()))]
            if lacking or (self._strict and dropped):
                found.append((name, min(lacking or dropped)))
        return tuple(found)

    def _is_plain(self, item: ParsedRequest) -> bool:
        """Return whether every model can answer and takes all parameters, without looking at any model."""
        has_parameters = self._has_adapters and item.parameters
        needs = item.needs or self._not_all_chat or not self._candidates
        return not (needs or has_parameters) and self._is_short(item)

    def _is_short(self, item: ParsedRequest) -> bool:
        return len(item.body) <= self._short and (item.max_tokens or 0) <= self._output

    def _demand_of(
        self, item: ParsedRequest, needs: frozenset[str], denied: tuple[tuple[str, str], ...]
    ) -> Demand:
        if self._is_short(item) or not endpoint_of(item.endpoint).routed:
            return Demand(needs, item.max_tokens, 0, 0, denied)
        media = media_of(item.body)
        likely = likely_tokens(len(item.body.encode()) - media.bytes) + media.likely
        least = least_tokens(item.body, no_text=media.characters)
        return Demand(needs, item.max_tokens, least, likely, denied)

    def _compute(self, model: str | None, demand: Demand) -> Mapping[str, str]:
        return left_out(demand, {model: self._models[model].when_named()} if model else self._candidates)


@lru_cache(maxsize=4096)
def _cached_samples(parameters: tuple[tuple[str, Any], ...]) -> str:
    return samples_of(dict(parameters))


def _surely_short(model: Capabilities) -> int:
    """Return a length in characters of which a body leaves half of the context window to its answer."""
    window = model.context_window
    return _UNLIMITED if window is None else min(window // 2, window - model.answer_tokens) // _MAX_TOKENS


def _surely_within(model: Capabilities) -> int:
    """Return a limit of an answer that is within the model's, and within half of its context window."""
    window = model.context_window
    return min(model.max_output or _UNLIMITED, _UNLIMITED if window is None else window // 2)
