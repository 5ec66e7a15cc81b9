"""docs/money.md shows the bills that Waybill charges."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest

from router_core.pricing import MICROS_PER_DOLLAR, charged_micros
from router_core.pricing.usage import TOKEN_KINDS
from tasks.providers.usage import read_usage
from tasks.settings import ModelSettings
from tasks.settings.prices import PriceSettings
from tests.support.bills import PAGE, Example, examples

EXAMPLES = examples()
BILLED, CHARGED = "named by the provider", "**charged**"


def number(cell: str) -> Fraction:
    """Return the number in a cell."""
    return Fraction(cell.strip("*").replace(",", "").removesuffix(" each"))


def test_the_page_has_ten_providers() -> None:
    names = [example.provider for example in EXAMPLES]
    assert names == [
        "OpenAI", "Anthropic", "Gemini", "DeepSeek", "xAI", "Perplexity", "Mistral", "OpenRouter", "Bedrock",
        "vLLM",
    ]  # fmt: skip


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.provider)
def test_the_counts_and_prices_are_those_that_waybill_reads(example: Example) -> None:
    price = ModelSettings(name="m", litellm=example.model, **example.prices).price
    usage = read_usage(example.reply)
    assert usage is not None
    at = price.in_tier(usage.tier or "standard").at(usage.prompt_tokens)
    read = {kind: (count, at.per_million(kind)) for kind in TOKEN_KINDS if (count := getattr(usage, kind))}
    if usage.searches and at.search:
        read["searches"] = usage.searches, at.per_search(usage.search_size)
    shown = {
        name.strip("`"): (number(count), float(number(price)))
        for name, count, price, _ in example.rows
        if name not in (BILLED, CHARGED)
    }
    assert shown == read


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.provider)
def test_the_sum_of_the_kinds_rounded_up_is_what_is_charged(example: Example) -> None:
    billed, total = 0, Fraction(0)
    for name, count, price, micros in example.rows[:-1]:
        if name == BILLED:
            billed = int(number(micros))
            continue
        unit = MICROS_PER_DOLLAR if price.endswith(" each") else 1
        assert number(count) * number(price) * unit == number(micros)
        total += number(micros)
    assert example.charged == max(math.ceil(total), billed)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.provider)
def test_waybill_charges_what_the_page_says(example: Example) -> None:
    usage = read_usage(example.reply)
    assert usage is not None
    price = ModelSettings(name="m", litellm=example.model, **example.prices).price
    assert charged_micros(usage, price) == example.charged


def test_the_table_of_kinds_names_every_kind_and_key() -> None:
    page = PAGE.read_text()
    keys = [name for name in PriceSettings.model_fields if name.endswith("_price")]
    missing = [f"`{name}`" for name in (*TOKEN_KINDS, *keys) if f"`{name}`" not in page]
    assert missing == []
