"""What the calls of the learning loop will probably cost, and what dispatch would reserve for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from router_core.pricing import MICROS_PER_DOLLAR
from tasks.money import expected_costs
from tasks.money.call_costs import demand_of, worst_case_of
from tasks.settings import ModelSettings, Settings


class Call(NamedTuple):
    """A call to price: its canonical body, its number of messages and the limit of its answer in tokens."""

    body: str
    messages: int
    max_tokens: int


@dataclass(frozen=True, slots=True)
class CallCosts:
    """The calls of one model, with their expected and their most cost in dollars; no price counts as 0."""

    calls: int = 0
    cost_usd: float = 0.0
    worst_usd: float = 0.0
    priced: bool = True

    def __add__(self, other: CallCosts) -> CallCosts:
        """Return the sums."""
        return CallCosts(
            self.calls + other.calls,
            self.cost_usd + other.cost_usd,
            self.worst_usd + other.worst_usd,
            self.priced and other.priced,
        )

    def share(self, part: int, whole: int) -> CallCosts:
        """Return the share `part / whole` of them; nothing of nothing."""
        share = part / whole if whole else 0.0
        return CallCosts(
            round(share * self.calls), share * self.cost_usd, share * self.worst_usd, self.priced
        )


def costs_of(model: ModelSettings, calls: Sequence[Call], *, answer_tokens: float) -> CallCosts:
    """Return what these calls cost if answers have so many tokens, or as many as their limit allows."""
    if not calls:
        return CallCosts()
    price = model.price
    characters = [expected_costs.characters_of(call.body) for call in calls]
    lengths = expected_costs.Lengths(characters, [call.max_tokens for call in calls])
    expected = expected_costs.costs_of(lengths, [price], np.full((len(calls), 1), float(answer_tokens)))
    worst = sum(
        worst_case_of(
            demand_of(call.body, body_bytes=len(call.body.encode()), messages=call.messages),
            model,
            max_tokens=call.max_tokens,
            price=price,
        )
        for call in calls
    )
    return CallCosts(
        len(calls), float(expected.sum()), worst / MICROS_PER_DOLLAR, model.known_price is not None
    )


def costs_by_model(settings: Settings, calls: Iterable[tuple[str, Call]]) -> dict[str, CallCosts]:
    """Return the costs of answers by the name of the model that is called; raises SettingsError."""
    by_model: dict[str, list[Call]] = {}
    for name, call in calls:
        by_model.setdefault(name, []).append(call)
    models = {name: settings.model(name) for name in by_model}
    return {
        name: costs_of(models[name], own, answer_tokens=models[name].expected_tokens)
        for name, own in by_model.items()
    }


def total(costs: Mapping[str, CallCosts]) -> CallCosts:
    """Return the sums over all models."""
    return sum(costs.values(), CallCosts())
