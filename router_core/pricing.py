"""Prices of models, and the worst-case, the actual and the expected cost of calls.

Reserved and settled money is an integer number of micro-dollars, rounded up, so that the ledger never falls
below the provider's bill. Expected costs, which only compare models, are floats in dollars. One dollar per
million tokens is one micro-dollar per token, so worst-case and actual costs need no conversion factor.
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

#: The most tokens for role markers, separators and the name field of a message; known chat templates use 3
#: to 8.
TOKENS_PER_MESSAGE = 16
#: The most tokens for begin-of-text, the opening of the reply, and a default system prompt of the template.
TOKENS_PER_REQUEST = 64
#: The average of English text.
CHARACTERS_PER_TOKEN = 4


@dataclass(frozen=True)
class Price:
    """A model's price in dollars per million tokens."""

    input_per_million: float
    output_per_million: float

    def __post_init__(self) -> None:
        for price in (self.input_per_million, self.output_per_million):
            if not (math.isfinite(price) and price >= 0):
                raise ValueError(f"a price must be a finite number of dollars, not below 0: {price!r}")


def max_input_tokens(*, input_bytes: int, messages: int) -> int:
    """Return an upper bound of a request's input tokens.

    A token of a byte-level BPE, or of SentencePiece with byte fallback, covers at least one byte of UTF-8, so
    there are at most as many tokens as bytes. The chat template adds a bounded number of tokens for each
    message and for the request. The bound holds for text only.

    Args:
        input_bytes: The UTF-8 size of all text sent: contents, names and tool definitions.
        messages: The number of messages.
    """
    return _count(input_bytes) + TOKENS_PER_MESSAGE * _count(messages) + TOKENS_PER_REQUEST


def worst_case_micros(*, input_bytes: int, messages: int, max_tokens: int, price: Price) -> int:
    """Return the most that a call can cost, in micro-dollars rounded up.

    Args:
        input_bytes: The UTF-8 size of all text sent.
        messages: The number of messages.
        max_tokens: The limit of the answer's length that the call sets.
        price: The model's price.
    """
    prompt_tokens = max_input_tokens(input_bytes=input_bytes, messages=messages)
    return actual_micros(prompt_tokens=prompt_tokens, completion_tokens=max_tokens, price=price)


def actual_micros(*, prompt_tokens: int, completion_tokens: int, price: Price) -> int:
    """Return the cost of the reported usage, in micro-dollars rounded up."""
    # In binary, 30 tokens at a price of 0.1 are 3.0000000000000004, which would be rounded up to 4.
    cost = _count(prompt_tokens) * Decimal(str(price.input_per_million))
    cost += _count(completion_tokens) * Decimal(str(price.output_per_million))
    return int(cost.to_integral_value(ROUND_CEILING))


def expected_costs(
    characters: Sequence[int] | NDArray[np.integer],
    prices: Sequence[Price],
    *,
    output_tokens: float | NDArray[np.floating] = 300.0,
) -> NDArray[np.float64]:
    """Return the expected cost of n prompts on m models, for the choice between models.

    This is an estimate and no bound; budgets use `worst_case_micros`.

    Args:
        characters: The prompts' lengths in characters [n].
        prices: The models' prices [m].
        output_tokens: The expected length of an answer in tokens: a number, or an array that broadcasts to
            [n, m].

    Returns:
        Dollars, float64 [n, m].
    """
    import numpy as np  # imported here, because the settings import this module and must load fast

    prompt_tokens = np.ceil(np.asarray(characters, dtype=np.float64) / CHARACTERS_PER_TOKEN)[:, None]
    input_price = np.array([price.input_per_million for price in prices], dtype=np.float64)
    output_price = np.array([price.output_per_million for price in prices], dtype=np.float64)
    return np.asarray((prompt_tokens * input_price + output_tokens * output_price) / MICROS_PER_DOLLAR)


def micro_usd(dollars: float | None) -> int | None:
    """Return a budget in whole micro-dollars, rounded down so that it is never exceeded; None for None."""
    # Rounded to three digits first: in binary, 1.001 dollars are 1000999.9999999999 micro-dollars.
    return None if dollars is None else int(round(dollars * MICROS_PER_DOLLAR, 3))


def _count(value: int) -> int:
    if value < 0:
        raise ValueError(f"a count cannot be negative: {value}")
    return value
