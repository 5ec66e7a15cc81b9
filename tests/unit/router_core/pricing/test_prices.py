"""Costs of calls: bounds that hold, exact rounding up, and expected costs."""

import numpy as np
import pytest

from router_core.errors import DataError
from router_core.pricing import Price, Usage, charged_micros, expected_costs, micro_usd, worst_case_micros

CHEAP = Price(0.1, 0.4)


def test_the_worst_case_covers_every_usage_within_the_limits():
    reserved = worst_case_micros(input_bytes=1000, messages=2, max_tokens=50, price=CHEAP)
    assert reserved >= charged_micros(Usage(input=1000 + 2 * 8 + 30, output=50), CHEAP)


def test_a_fraction_of_a_micro_dollar_is_rounded_up():
    assert charged_micros(Usage(input=1, output=0), CHEAP) == 1
    assert charged_micros(Usage(input=11, output=0), CHEAP) == 2


def test_an_exact_cost_is_not_rounded_up_by_binary_fractions():
    assert charged_micros(Usage(input=3, output=0), Price(1.1, 0)) == 4
    for tokens in range(0, 1000, 10):
        assert charged_micros(Usage(input=tokens, output=0), CHEAP) == tokens // 10


def test_a_free_model_costs_nothing():
    assert worst_case_micros(input_bytes=10**6, messages=9, max_tokens=10**6, price=Price(0, 0)) == 0


@pytest.mark.parametrize("price", [-1.0, float("nan"), float("inf")])
def test_a_negative_or_infinite_price_is_refused(price):
    with pytest.raises(ValueError, match="price"):
        Price(price, 1.0)


def test_a_negative_count_is_refused():
    with pytest.raises(ValueError, match="negative"):
        charged_micros(Usage(input=-1, output=0), CHEAP)


def test_expected_costs_have_a_row_per_prompt_and_a_column_per_model():
    costs = expected_costs([4, 4_000_000], [Price(1, 0), Price(0, 2)], output_tokens=500_000)
    np.testing.assert_allclose(costs, [[1e-6, 1.0], [1.0, 1.0]])


def test_a_cap_in_dollars_is_never_raised_by_rounding() -> None:
    assert micro_usd(0.29) == 290_000
    assert micro_usd(0.0000019) == 1
    assert micro_usd(None) is None


@pytest.mark.parametrize("dollars", [-1.0, -1e-9, float("nan"), float("inf"), 1e300])
def test_a_budget_that_no_database_holds_is_refused(dollars):
    with pytest.raises(DataError):
        micro_usd(dollars)
