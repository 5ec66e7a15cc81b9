"""For any usage and price: what is charged is the bill, rounded up once, and never above the worst case."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from router_core.pricing import Price, Usage, charged_micros, max_input_tokens, worst_case_micros
from router_core.pricing.tables import from_json, price_of, to_json

SENT = ("input", "cached_input", "cache_write", "cache_write_1h")
HEARD = ("audio_input", "cached_audio_input", "image_input", "citation")
WRITTEN = ("output", "reasoning", "audio_output", "image_output")
#: the kind whose price another one has where it has none, written down once more
BASES = {
    "cached_input": "input", "cache_write": "input", "cache_write_1h": "cache_write", "audio_input": "input",
    "cached_audio_input": "audio_input", "image_input": "input", "citation": "input", "reasoning": "output",
    "audio_output": "output", "image_output": "output",
}  # fmt: skip
TIERS = ("flex", "priority", "batch")

dollars = st.decimals(0, 200, places=4, allow_nan=False).map(float)
counts = st.one_of(st.just(0), st.integers(0, 3_000_000))


def flat_prices(*, kinds: tuple[str, ...] = tuple(BASES)) -> st.SearchStrategy[Price]:
    """Return prices with any of the kinds, in one tier and without steps."""
    others: dict[str, st.SearchStrategy[Any]] = {kind: st.none() | dollars for kind in kinds}
    return st.builds(Price, dollars, dollars, **others, request=st.just(0.0) | dollars, search=dollars)


@st.composite
def prices(draw: st.DrawFn) -> Price:
    """Return a price with steps and tiers."""

    def stepped(price: Price) -> Price:
        above = sorted(draw(st.sets(st.integers(1, 500_000), max_size=2)))
        return replace(price, steps=tuple((one, draw(flat_prices())) for one in above))

    tiers = draw(st.sets(st.sampled_from(TIERS)))
    return replace(
        stepped(draw(flat_prices())),
        tiers=tuple((tier, stepped(draw(flat_prices()))) for tier in sorted(tiers)),
    )


usages = st.builds(
    Usage,
    **dict.fromkeys((*SENT, *HEARD, *WRITTEN, "unexplained"), counts),
    searches=st.integers(0, 50),
    tier=st.none() | st.sampled_from(("standard", *TIERS)),
)


def rate(price: Price, kind: str) -> Fraction:
    """Return micro-dollars per token of a kind, by the rule in the documentation."""
    name = {"input": "input_per_million", "output": "output_per_million"}.get(kind, kind)
    own = getattr(price, name)
    return Fraction(str(own)) if own is not None else rate(price, BASES[kind])


def bill(usage: Usage, price: Price, tier: str) -> Fraction:
    """Return what a provider bills, in micro-dollars: each count at its price in the request's step."""
    price = dict(price.tiers).get(tier, price)
    length = sum(getattr(usage, kind) for kind in (*SENT, *HEARD))
    price = next((step for above, step in reversed(price.steps) if length > above), price)
    tokens = sum(getattr(usage, kind) * rate(price, kind) for kind in (*SENT, *HEARD, *WRITTEN))
    unexplained = usage.unexplained * max(rate(price, "output"), rate(price, "reasoning"))
    fees = 10**6 * (Fraction(str(price.request)) + usage.searches * Fraction(str(price.search)))
    return tokens + unexplained + fees


@given(usages, prices())
def test_what_is_charged_is_the_bill_rounded_up_once(usage: Usage, price: Price) -> None:
    billed = bill(usage, price, usage.tier or "standard")
    assert billed <= charged_micros(usage, price) < billed + 1


@given(usages, prices(), st.sets(st.sampled_from(TIERS)))
def test_without_a_named_tier_the_dearest_that_may_have_served_is_charged(
    usage: Usage, price: Price, asked: set[str]
) -> None:
    tiers = {usage.tier} if usage.tier else {"standard", *asked}
    billed = max(bill(usage, price, tier) for tier in tiers)
    assert billed <= charged_micros(usage, price, tiers={"standard", *asked}) < billed + 1


@given(usages, prices(), st.integers(0, 10**9))
def test_the_bill_that_a_provider_names_is_the_least(usage: Usage, price: Price, billed: int) -> None:
    charged = charged_micros(replace(usage, billed=billed), price)
    assert charged == max(billed, charged_micros(usage, price))


@st.composite
def calls_within_limits(draw: st.DrawFn) -> tuple[Usage, dict[str, Any]]:
    """Return a usage and limits that hold for it."""
    input_bytes, messages = draw(st.integers(0, 600_000)), draw(st.integers(1, 20))
    max_tokens, searches = draw(st.integers(1, 5_000)), draw(st.integers(0, 5))
    kinds = draw(st.sets(st.sampled_from(("cache_write_1h", *HEARD, "audio_output", "image_output"))))
    allowed = {"input", "cached_input", "cache_write", "output", "reasoning", *kinds}
    left = {"sent": max_input_tokens(input_bytes=input_bytes, messages=messages), "written": max_tokens}
    used = {}
    for kind in draw(st.permutations(sorted(allowed))):
        side = "written" if kind in WRITTEN else "sent"
        used[kind] = draw(st.integers(0, left[side]))
        left[side] -= used[kind]
    tiers = {"standard", *draw(st.sets(st.sampled_from(TIERS)))}
    usage = Usage(
        **used,
        unexplained=draw(st.integers(0, left["written"])),
        searches=draw(st.integers(0, searches)),
        tier=draw(st.none() | st.sampled_from(sorted(tiers))),
    )
    limits = {
        "input_bytes": input_bytes, "messages": messages, "max_tokens": max_tokens,
        "searches": searches, "kinds": kinds, "tiers": tiers,
    }  # fmt: skip
    return usage, limits


@given(calls_within_limits(), prices())
def test_no_call_within_its_limits_costs_more_than_its_worst_case(
    call: tuple[Usage, dict[str, Any]], price: Price
) -> None:
    usage, limits = call
    assert charged_micros(usage, price, tiers=limits["tiers"]) <= worst_case_micros(price=price, **limits)


@given(prices())
def test_a_price_survives_json(price: Price) -> None:
    assert from_json(to_json(price)) == price


@given(flat_prices(), st.sampled_from(["input", "output"]), dollars)
def test_a_kind_that_a_tier_does_not_name_keeps_its_proportion(
    price: Price, changed: str, amount: float
) -> None:
    new = price.with_amounts(**{changed: amount})
    assert new.per_million(changed) == amount
    for kind, base in BASES.items():
        old = price.per_million(base)
        if price.per_million(kind) and old:
            expected = price.per_million(kind) * new.per_million(base) / old
            assert abs(new.per_million(kind) - expected) <= max(1e-8, expected * 1e-6)


def test_a_tier_without_amounts_of_its_own_costs_as_the_standard_one() -> None:
    price = price_of({"input": 1, "output": 2, "reasoning": 3}, steps={100: {"input": 2}}, tiers={"flex": {}})
    assert price.in_tier("flex").at(101) == price.at(101)
    assert price.in_tier("flex").at(100).reasoning == 3
