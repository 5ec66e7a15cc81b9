"""The worst case covers what a request may use, and a bill is charged as far as it can be true."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router_core.pricing import Price, Usage, charged_micros
from router_core.pricing.usage import COUNTS
from tasks.money.call_costs import HIDDEN_TOKENS, TOKENS_PER_SEARCH, Demand, cost_of, demand_of, worst_case_of
from tasks.settings import ModelSettings

PRICE = Price(
    1, 2, cached_input=0.1, cache_write=1.25, cache_write_1h=2, audio_input=10, reasoning=3, audio_output=20,
    image_input=4, request=0.001, search=0.01,
    tiers=(("priority", Price(2, 4)), ("flex", Price(0.5, 1))),
)  # fmt: skip
TEXT = {"messages": [{"content": "hello", "role": "user"}]}


def model(litellm: str = "openai/m", **settings: Any) -> ModelSettings:
    """Return a model."""
    return ModelSettings(name="m", litellm=litellm, **settings)


def demand(**fields: Any) -> Demand:
    """Return what a request with these fields may use."""
    body = json.dumps({**TEXT, **fields}, separators=(",", ":"), sort_keys=True)
    return demand_of(body, body_bytes=len(body.encode()), messages=1)


def worst(one: Demand, *, of: ModelSettings | None = None, price: Price = PRICE) -> int:
    """Return the worst case of 100 output tokens."""
    return worst_case_of(one, of or model(), max_tokens=100, price=price)


def image() -> list[dict[str, Any]]:
    """Return a message with an image."""
    return [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://a/b.png"}}]}]


def test_plain_text_may_be_written_to_the_cache_and_thought_about() -> None:
    plain = demand()
    tokens = plain.input_bytes + 16 + 64
    assert worst(plain) == -(-(tokens * 125) // 100) + 100 * 3 + 1_000


@pytest.mark.parametrize(
    ("fields", "kinds"),
    [
        ({"modalities": ["text", "audio"]}, {"audio_output", "image_output"}),
        ({"messages": image()}, {"image_input"}),
        (
            {"messages": [{"role": "user", "content": [
                {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}},
            ]}]},
            {"audio_input", "cached_audio_input"},
        ),
        (
            {"messages": [{"role": "user", "content": [
                {"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
            ]}]},
            {"cache_write_1h"},
        ),
    ],
    ids=["modalities", "image", "audio", "cache"],
)  # fmt: skip
def test_dearer_kinds_count_where_the_request_has_them(fields: dict[str, Any], kinds: set[str]) -> None:
    assert demand(**fields).kinds >= kinds
    assert worst(demand(**fields)) > worst(replace_kinds(demand(**fields)))


def replace_kinds(one: Demand) -> Demand:
    """Return the demand without its further kinds."""
    return one._replace(kinds=frozenset())


def test_a_prompt_that_quotes_parameters_is_plain_text() -> None:
    quoting = demand(
        messages=[{"role": "user", "content": '"service_tier":"priority", "ttl":"1h", "tools":'}]
    )
    assert quoting == Demand(quoting.input_bytes, 1)


@pytest.mark.parametrize(
    ("tier", "price"),
    [("priority", PRICE.in_tier("priority")), ("flex", PRICE), ("auto", PRICE), ("scale", PRICE)],
)
def test_a_tier_that_the_request_asks_for_counts_if_it_is_dearer(tier: str, price: Price) -> None:
    asked = demand(service_tier=tier)
    standard = asked.in_standard_tier()
    assert worst(asked) == max(worst(standard), worst(standard, price=replace(price, tiers=())))


@pytest.mark.parametrize(
    ("fields", "litellm"),
    [
        ({"web_search_options": {}}, "openai/m"),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "anthropic/m"),
        ({"tools": [{"googleSearch": {}}]}, "gemini/m"),
        ({"plugins": [{"id": "web"}]}, "openrouter/m"),
        ({}, "perplexity/sonar-pro"),
        ({}, "openai/gpt-4o-search-preview"),
        ({}, "openai/sonar-pro"),
    ],
    ids=str,
)
def test_searches_count_where_the_request_or_the_model_searches(fields: dict[str, Any], litellm: str) -> None:
    one = demand(**fields)
    without = worst(one, of=model(litellm, max_searches=0))
    fees_and_results = 3 * (10_000 + TOKENS_PER_SEARCH * 1.25)
    assert worst(one, of=model(litellm, max_searches=3)) - without == pytest.approx(fees_and_results, abs=1)


def test_a_request_that_does_not_search_has_no_fees_for_it() -> None:
    assert worst(demand(), of=model(max_searches=0)) == worst(demand(), of=model(max_searches=9))


def test_tools_count_for_the_instructions_that_providers_add() -> None:
    tools = [{"type": "function", "function": {"name": "f"}}]
    assert demand(tools=tools).input_bytes - len(json.dumps(tools, separators=(",", ":"))) > 346


def cost(usage: Usage, one: Demand | None = None, *, litellm: str = "openai/m", max_tokens: int = 100) -> int:
    """Return what is charged for a call."""
    return cost_of(usage, one or demand(), model(litellm), max_tokens=max_tokens, price=PRICE)


def test_a_bill_within_the_limits_is_charged_as_it_is() -> None:
    usage = Usage(input=30, cached_input=20, output=50, reasoning=40)
    assert cost(usage) == charged_micros(usage, PRICE) < worst(demand())


def test_thoughts_are_charged_whatever_the_limit_of_the_answer() -> None:
    usage = Usage(input=20, output=10, reasoning=5_000)
    assert cost(usage, max_tokens=16) == charged_micros(usage, PRICE) > worst(demand())


def test_searches_and_citations_are_charged_whatever_was_expected() -> None:
    usage = Usage(input=20, output=10, searches=40, citation=50_000)
    assert cost(usage) == charged_micros(usage, PRICE)


def test_what_the_provider_names_as_its_bill_is_charged() -> None:
    assert cost(Usage(input=20, output=10, billed=7_000_000)) == 7_000_000


def test_input_that_was_never_sent_is_a_misreport() -> None:
    claimed = Usage(input=10_000_000, output=10)
    most = worst_case_of(
        demand()._replace(input_bytes=demand().input_bytes + HIDDEN_TOKENS),
        model(),
        max_tokens=100,
        price=PRICE,
    )
    assert cost(claimed) == most < charged_micros(claimed, PRICE)


def test_the_tier_of_the_reply_is_charged_else_the_dearer_of_two() -> None:
    usage = Usage(input=20, output=10)
    prices = {name: charged_micros(usage, PRICE.in_tier(name)) for name in ("standard", "priority", "flex")}
    priority, flex = demand(service_tier="priority"), demand(service_tier="flex")
    dearer = charged_micros(usage, PRICE, tiers=("standard", "priority"))
    assert cost(usage, priority) == dearer == max(prices["standard"], prices["priority"])
    assert cost(usage, flex) == prices["standard"]
    assert cost(replace(usage, tier="flex"), flex) == prices["flex"]
    assert cost(replace(usage, tier="standard"), priority) == prices["standard"]
    assert cost(usage, priority.in_standard_tier()) == prices["standard"]


def test_a_tier_that_nobody_asked_for_is_charged_in_full_too() -> None:
    usage = Usage(cache_write=demand().input_bytes, output=20, reasoning=80, tier="priority")
    price = replace(PRICE, tiers=(("priority", Price(200, 400)),))
    charged = cost_of(usage, demand(), model(), max_tokens=100, price=price)
    assert charged == charged_micros(usage, price) > worst(demand(), price=price)


def test_a_model_that_always_searches_has_made_one_search_at_least() -> None:
    usage = Usage(input=20, output=10)
    assert cost(usage, litellm="openai/gpt-4o-search-preview") == cost(usage) + 10_000


usages = st.builds(
    lambda counts, **others: Usage(**counts, **others),
    st.dictionaries(st.sampled_from(COUNTS), st.sampled_from([1, 20, 99, 101, 5_000]), max_size=3),
    search_size=st.sampled_from([None, "high"]),
    billed=st.sampled_from([None, None, 7_000]),
    tier=st.sampled_from([None, "priority", "flex"]),
)
stepped = replace(PRICE, steps=((50, Price(3, 5)),), search_sizes=(("high", 0.5),), searches_once=False)


@settings(max_examples=1000)
@given(usages, st.sampled_from([PRICE, stepped]), st.sampled_from([demand(), demand(tools=[])]))
def test_a_usage_below_the_worst_case_costs_what_it_would_if_that_were_looked_at(
    usage: Usage, price: Price, asked: Demand
) -> None:
    with patch("tasks.money.call_costs._is_within", return_value=False):
        looked_at = cost_of(usage, asked, model(), max_tokens=100, price=price)
    assert cost_of(usage, asked, model(), max_tokens=100, price=price) == looked_at
