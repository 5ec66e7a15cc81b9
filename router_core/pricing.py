"""What a call may cost, is expected to cost and did cost.

Money that is reserved or settled is an integer number of micro-dollars, always rounded up, so that a
ledger never drifts below the bill. Only the estimates that compare models are floats, in dollars.
A price of one dollar per million tokens is one micro-dollar per token, so no conversion factor appears below.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MICROS_PER_DOLLAR = 1_000_000

#: Role markers, separators and the name field of one message; the chat templates we know use 3 to 8 tokens.
TOKENS_PER_MESSAGE = 16
#: Begin-of-text, the opening of the reply, and the default system prompt that some chat templates insert.
TOKENS_PER_REQUEST = 64
#: English text averages about four characters a token.
CHARACTERS_PER_TOKEN = 4


@dataclass(frozen=True)
class Price:
    """What a model charges, in dollars per million tokens."""

    input_per_million: float
    output_per_million: float

    def __post_init__(self) -> None:
        for price in (self.input_per_million, self.output_per_million):
            if not (math.isfinite(price) and price >= 0):
                raise ValueError(f"a price must be a finite number of dollars, not below 0: {price!r}")


def max_input_tokens(*, input_bytes: int, messages: int) -> int:
    """Return a number of input tokens that a request cannot exceed.

    A token of a byte-level BPE or of SentencePiece with byte fallback stands for at least one byte of
    UTF-8, so the bytes of all text sent (contents, names, tool definitions) bound the tokens from above;
    the chat template adds a fixed number per message and per request. Text only: images have other rules.
    """
    return _count(input_bytes) + TOKENS_PER_MESSAGE * _count(messages) + TOKENS_PER_REQUEST


def worst_case_micros(*, input_bytes: int, messages: int, max_tokens: int, price: Price) -> int:
    """Return the most that one call can cost, in micro-dollars rounded up.

    `input_bytes` is the UTF-8 size of all text sent, `max_tokens` the limit on the answer that the call sets.
    """
    prompt_tokens = max_input_tokens(input_bytes=input_bytes, messages=messages)
    return actual_micros(prompt_tokens=prompt_tokens, completion_tokens=max_tokens, price=price)


def actual_micros(*, prompt_tokens: int, completion_tokens: int, price: Price) -> int:
    """Return what the reported usage costs, in micro-dollars rounded up."""
    # Decimal of the shortest form keeps 30 tokens at 0.1 from becoming 3.0000000000000004, rounded up to 4.
    cost = _count(prompt_tokens) * Decimal(str(price.input_per_million))
    cost += _count(completion_tokens) * Decimal(str(price.output_per_million))
    return int(cost.to_integral_value(ROUND_CEILING))


def expected_costs(
    characters: Sequence[int] | NDArray[np.integer],
    prices: Sequence[Price],
    *,
    output_tokens: float | NDArray[np.floating] = 300.0,
) -> NDArray[np.float64]:
    """Return the expected cost in dollars, float64 [n prompts, m models], for choosing between models.

    `characters` holds each prompt's length [n]; `output_tokens` is the expected length of an answer: one
    number, or an array that broadcasts to [n, m]. An estimate, no bound: budgets use `worst_case_micros`.
    """
    import numpy as np  # here: settings know prices and start without it

    prompt_tokens = np.ceil(np.asarray(characters, dtype=np.float64) / CHARACTERS_PER_TOKEN)[:, None]
    input_price = np.array([price.input_per_million for price in prices], dtype=np.float64)
    output_price = np.array([price.output_per_million for price in prices], dtype=np.float64)
    return np.asarray((prompt_tokens * input_price + output_tokens * output_price) / MICROS_PER_DOLLAR)


def micro_usd(dollars: float | None) -> int | None:
    """Return a budget in whole micro-dollars, rounded down, so that rounding never raises it; None stays None."""
    return None if dollars is None else int(round(dollars * MICROS_PER_DOLLAR, 3))


def _count(value: int) -> int:
    if value < 0:
        raise ValueError(f"a count cannot be negative: {value}")
    return value
