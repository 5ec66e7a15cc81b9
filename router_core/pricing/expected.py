"""The expected cost of calls, for the choice between models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from router_core.pricing.money import MICROS_PER_DOLLAR
from router_core.pricing.price import Price

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: The average of English text.
CHARACTERS_PER_TOKEN = 4


def expected_costs(
    characters: Sequence[int] | NDArray[np.integer],
    prices: Sequence[Price],
    *,
    output_tokens: float | NDArray[np.floating] = 300.0,
) -> NDArray[np.float64]:
    """Return the expected cost of n prompts on m models, for the choice between models.

    This is an estimate and no bound; budgets use `worst_case_micros`. It assumes text that no cache holds,
    the standard tier and no searches.

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
    costs = np.asarray(_flat_costs(prompt_tokens, prices, output_tokens))
    # Most prices have no steps, and most prompts reach none.
    longest = prompt_tokens.max(initial=0)
    for above in sorted({above for price in prices for above, _ in price.steps if longest > above}):
        at_step = _flat_costs(prompt_tokens, [price.at(above + 1) for price in prices], output_tokens)
        costs = np.where(prompt_tokens > above, at_step, costs)
    return costs


def _flat_costs(
    prompt_tokens: NDArray[np.float64],
    prices: Sequence[Price],
    output_tokens: float | NDArray[np.floating],
) -> NDArray[np.float64]:
    """Return the costs [n, m] at these prices, whatever the lengths of the prompts."""
    import numpy as np

    input_price, output_price, request_price = np.array(
        [(price.input_per_million, price.output_per_million, price.request) for price in prices],
        dtype=np.float64,
    ).T
    tokens = prompt_tokens * input_price + output_tokens * output_price
    return np.asarray(tokens / MICROS_PER_DOLLAR + request_price)
