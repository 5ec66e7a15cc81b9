"""The price of a model: dollars per kind of token, by tier and by the length of the prompt."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from operator import attrgetter
from typing import Any

from router_core.pricing.usage import STANDARD, TOKEN_KINDS

#: the fields whose names differ from their kinds
_FIELDS = {"input": "input_per_million", "output": "output_per_million"}
_NOT_AMOUNTS = frozenset(("search_sizes", "searches_once", "steps", "tiers"))


@dataclass(frozen=True)
class Price:
    """A model's price; a kind without one is priced as its base kind (`TOKEN_KINDS`), a fee without one is 0.

    Attributes:
        input_per_million: Dollars per million input tokens, as all other kinds of tokens.
        request: Dollars per call.
        search: Dollars per search that the provider makes.
        search_sizes: Dollars per search of a known size, as pairs of size and price.
        searches_once: Whether all searches of a call cost as much as one.
        steps: Prices of whole requests by the length of their input, as pairs of a number of tokens that the
            input exceeds and the price from there on, in ascending order.
        tiers: Prices of tiers other than the standard one, as pairs of name and price.
    """

    input_per_million: float
    output_per_million: float
    cached_input: float | None = None
    cache_write: float | None = None
    cache_write_1h: float | None = None
    audio_input: float | None = None
    cached_audio_input: float | None = None
    image_input: float | None = None
    citation: float | None = None
    reasoning: float | None = None
    audio_output: float | None = None
    image_output: float | None = None
    request: float = 0.0
    search: float = 0.0
    search_sizes: tuple[tuple[str, float], ...] = ()
    searches_once: bool = False
    steps: tuple[tuple[int, Price], ...] = ()
    tiers: tuple[tuple[str, Price], ...] = ()

    def __post_init__(self) -> None:
        for amount in self.amounts().values():
            if not (math.isfinite(amount) and amount >= 0):
                raise ValueError(f"a price must be a finite number of dollars, not below 0: {amount!r}")
        thresholds = [above for above, _ in self.steps]
        if any(first >= second for first, second in pairwise([0, *thresholds])):
            raise ValueError(f"the steps of a price must ascend from above 0: {thresholds}")

    def amounts(self) -> dict[str, float]:
        """Return the amounts that are set, in dollars, by field."""
        values = zip(_AMOUNTS, _amounts_of(self), strict=True)
        return {name: value for name, value in values if value is not None}

    @property
    def pair(self) -> tuple[float, float]:
        """Dollars per million tokens of plain input and of plain output."""
        return self.input_per_million, self.output_per_million

    @property
    def is_detailed(self) -> bool:
        """Whether it says more than the prices of input and output."""
        return self != Price(*self.pair)

    def per_million(self, kind: str) -> float:
        """Return the dollars per million tokens of a kind, or of its base kind."""
        own: float | None = getattr(self, _FIELDS.get(kind, kind))
        base = TOKEN_KINDS[kind]
        return own if own is not None else self.per_million(base or "input")

    @property
    def unexplained(self) -> float:
        """Dollars per million tokens of an unknown kind: those of the dearest text output."""
        return max(self.per_million("output"), self.per_million("reasoning"))

    def per_search(self, size: str | None) -> float:
        """Return the dollars per search of a size, or of an unknown one."""
        return dict(self.search_sizes).get(size or "", self.search)

    def in_tier(self, tier: str) -> Price:
        """Return the price in a tier; the standard one where the tier has none of its own."""
        return self if tier == STANDARD else dict(self.tiers).get(tier, self)

    def at(self, input_tokens: int) -> Price:
        """Return the price of a whole request whose input has this length: that of the last step reached."""
        reached = [price for above, price in self.steps if input_tokens > above]
        return reached[-1] if reached else self

    def with_amounts(self, **amounts: float) -> Price:
        """Return the price where these kinds cost otherwise, for a tier or a step.

        The kinds that are not named keep their proportion to their base kind: where a tier halves the price
        of input and names no price of cached input, that is halved too.
        """
        changed: dict[str, Any] = {_FIELDS.get(kind, kind): amount for kind, amount in amounts.items()}
        new = replace(self, steps=(), tiers=(), **changed)
        for kind in TOKEN_KINDS:  # a base kind stands before the kinds that have it
            if kind in self.amounts() and kind not in amounts:
                scaled: dict[str, Any] = {kind: self._in_proportion(kind, new)}
                new = replace(new, **scaled)
        return new

    def _in_proportion(self, kind: str, new: Price) -> float:
        own, base = self.per_million(kind), TOKEN_KINDS[kind] or "input"
        old = self.per_million(base)
        return round(own * new.per_million(base) / old, 9) if old else own


# A getter of many fields, as of a usage: the price of each chunk is made anew, and checks its amounts.
_AMOUNTS = tuple(field.name for field in fields(Price) if field.name not in _NOT_AMOUNTS)
_amounts_of = attrgetter(*_AMOUNTS)
