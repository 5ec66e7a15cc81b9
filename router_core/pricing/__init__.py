"""Prices of models by kinds of tokens, and the actual, the worst-case and the expected cost of calls.

Reserved and settled money is an integer number of micro-dollars, rounded up, so that the ledger never falls
below the provider's bill. Expected costs, which only compare models, are floats in dollars. One dollar per
million tokens is one micro-dollar per token, so worst-case and actual costs need no conversion factor.
"""

from router_core.pricing.charges import charged_micros, max_input_tokens, worst_case_micros
from router_core.pricing.expected import CHARACTERS_PER_TOKEN, expected_costs
from router_core.pricing.money import MAX_DOLLARS, MICROS_PER_DOLLAR, micro_usd
from router_core.pricing.price import Price
from router_core.pricing.usage import STANDARD, Usage

__all__ = [
    "CHARACTERS_PER_TOKEN",
    "MAX_DOLLARS",
    "MICROS_PER_DOLLAR",
    "STANDARD",
    "Price",
    "Usage",
    "charged_micros",
    "expected_costs",
    "max_input_tokens",
    "micro_usd",
    "worst_case_micros",
]
