"""The capabilities of a model, and what a request demands of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

#: what not every model takes or gives, with the words for a model that does not
KINDS: Mapping[str, str] = MappingProxyType({
    "image": "takes no images",
    "audio": "takes no sound",
    "file": "takes no files",
    "video": "takes no videos",
    "tools": "calls no tools",
    "json_schema": "follows no JSON schema",
    "logprobs": "gives no log-probabilities",
    "audio_output": "answers without sound",
    "image_output": "answers without images",
})  # fmt: skip
CONTEXT_WINDOW, MAX_OUTPUT = "context_window", "max_output"
#: stands before the name of a parameter that needs a model with it in its `extra_params`
EXTRA = "+"


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What is known of a model; whatever is not known, it is assumed to be able to.

    Attributes:
        context_window: The most input tokens; None if unknown.
        max_output: The most output tokens; None if unknown.
        cannot: The kinds (keys of `KINDS`) that it neither takes nor gives, and the paths of endpoints that
            it does not offer.
        unproven: Those of these paths of which nobody says so: requests that name the model are sent there.
        can: The kinds of which the operator says that it does.
        extra: The parameters beyond OpenAI's API that it takes.
        answer_tokens: The limit of an answer for which the request sets none.
        routed: Whether prompts may be routed to it.
        adapter: LiteLLM's name of it, where LiteLLM may drop parameters; None where all are sent.
    """

    context_window: int | None = None
    max_output: int | None = None
    cannot: frozenset[str] = frozenset()
    unproven: frozenset[str] = frozenset()
    can: frozenset[str] = frozenset()
    extra: frozenset[str] = frozenset()
    answer_tokens: int = 0
    routed: bool = True
    adapter: str | None = None

    def as_row(self) -> dict[str, Any]:
        """Return what is known as JSON values, as a batch stores it."""
        row = {name: getattr(self, name) for name in self.__slots__}
        values = {
            name: sorted(value) if isinstance(value, frozenset) else value for name, value in row.items()
        }
        return {name: value for name, value in values.items() if value not in (None, [])}

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Capabilities:
        """Rebuild from what `as_row` returned; keys that a newer Waybill added are ignored."""
        known = {name: value for name, value in row.items() if name in cls.__slots__}
        sets = {name: frozenset(row.get(name, ())) for name in ("cannot", "unproven", "can", "extra")}
        return cls(**{**known, **sets})

    def when_named(self) -> Capabilities:
        """Return the capabilities for a request that names the model: what is unproven is tried."""
        return replace(self, cannot=self.cannot - self.unproven) if self.unproven else self


@dataclass(frozen=True, slots=True)
class Demand:
    """What a request demands of a model.

    Attributes:
        needs: Kinds, the path of an endpoint, and parameters beyond OpenAI's API after `EXTRA`.
        output: The token limit of the answer, if it sets one.
        least_input: No tokenizer makes fewer tokens of it.
        likely_input: Most tokenizers make no more tokens of it.
        denied: Models that cannot answer it for another reason, with that reason.
    """

    needs: frozenset[str]
    output: int | None
    least_input: int
    likely_input: int
    denied: tuple[tuple[str, str], ...] = ()


def obstacle(demand: Demand, model: Capabilities) -> str | None:
    """Return why a model cannot answer: a need, `context_window` or `max_output`; None if it can."""
    lacking = {need for need in demand.needs if need[0] == EXTRA and need[1:] not in model.extra}
    if lacking or not model.cannot.isdisjoint(demand.needs):
        return min(lacking | (demand.needs & model.cannot))
    if model.max_output is not None and (demand.output or 0) > model.max_output:
        return MAX_OUTPUT
    if model.context_window is not None and demand.least_input > model.context_window:
        return CONTEXT_WINDOW
    return None


def probably_fits(demand: Demand, model: Capabilities) -> bool:
    """Return whether the request and its answer are probably within the context window."""
    if model.context_window is None:
        return True
    return demand.likely_input + (demand.output or model.answer_tokens) <= model.context_window


def explanation_of(reason: str) -> str:
    """Return the words for a reason of `obstacle`, after the name of a model."""
    if reason.startswith(EXTRA):
        return f"has no {reason[1:]} in its extra_params"
    if reason.startswith("/"):
        return f"does not offer {reason}"
    if reason == CONTEXT_WINDOW:
        return "has too small a context window"
    if reason == MAX_OUTPUT:
        return "has a lower output limit"
    return KINDS.get(reason) or f"does not take {reason}"
