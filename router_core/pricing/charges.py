"""The actual and the worst-case cost of a call, in micro-dollars rounded up."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable
from decimal import ROUND_CEILING, Decimal
from functools import lru_cache
from typing import NamedTuple

from router_core.pricing.money import MICROS_PER_DOLLAR
from router_core.pricing.price import Price
from router_core.pricing.usage import INPUT_KINDS, OUTPUT_KINDS, STANDARD, TOKEN_KINDS, Usage

#: The most tokens for role markers, separators and the name field of a message; known chat templates use 3
#: to 8.
TOKENS_PER_MESSAGE = 16
#: The most tokens for begin-of-text, the opening of the reply, and a default system prompt of the template.
TOKENS_PER_REQUEST = 64
#: kinds that every call may use; the others only where its request asks for them
ALWAYS = frozenset(("input", "cached_input", "cache_write", "output", "reasoning"))


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


def worst_case_micros(
    *,
    input_bytes: int,
    messages: int,
    max_tokens: int,
    price: Price,
    tiers: Iterable[str] = (STANDARD,),
    kinds: Collection[str] = (),
    searches: int = 0,
) -> int:
    """Return the most that a call can cost, in micro-dollars rounded up.

    All input may be of its dearest kind, and so may all output, at the dearest step that the input can reach.

    Args:
        input_bytes: The UTF-8 size of all text sent.
        messages: The number of messages.
        max_tokens: The limit of the answer's length that the call sets.
        price: The model's price.
        tiers: The tiers that may serve the call.
        kinds: Kinds that the call may use beside those of `ALWAYS`.
        searches: The most searches that the provider makes.
    """
    prompt_tokens = max_input_tokens(input_bytes=input_bytes, messages=messages)
    return max(
        _rounded_up(
            prompt_tokens * rates.input
            + _count(max_tokens) * rates.output
            + MICROS_PER_DOLLAR * (rates.request + min(_count(searches), rates.most_searches) * rates.search)
        )
        for above, rates in _dearest(price, frozenset(tiers), ALWAYS.union(kinds))
        if prompt_tokens > above
    )


def charged_micros(usage: Usage, price: Price, *, tiers: Iterable[str] = (STANDARD,)) -> int:
    """Return the cost of a call, in micro-dollars rounded up.

    Args:
        usage: What the call used. What its provider says it charged is the least that the call costs.
        price: The model's price.
        tiers: The tiers that may have served the call, if the usage names none: the dearest one counts.
    """
    named = (usage.tier,) if usage.tier is not None else tuple(tiers)
    priced = max(_micros(usage, price.in_tier(tier).at(usage.prompt_tokens)) for tier in named)
    return max(priced, usage.billed or 0)


def _micros(usage: Usage, price: Price) -> int:
    counts = (*usage.by_kind, usage.unexplained)
    micros = sum((n * rate for n, rate in zip(counts, _per_token(price), strict=True) if n), Decimal(0))
    return _rounded_up(micros + MICROS_PER_DOLLAR * _fees(usage, price))


@lru_cache(maxsize=1024)
def _per_token(price: Price) -> tuple[Decimal, ...]:
    """Return the micro-dollars per token of each kind, and of those of an unknown one."""
    return (*(_exact(price.per_million(kind)) for kind in TOKEN_KINDS), _exact(price.unexplained))


def _fees(usage: Usage, price: Price) -> Decimal:
    """Return the dollars that a call and its searches cost beside its tokens."""
    searches = min(usage.searches, 1) if price.searches_once else usage.searches
    per_search = _exact(price.per_search(usage.search_size)) if searches else 0
    return usage.requests * _exact(price.request) + searches * per_search


class _Rates(NamedTuple):
    """The dearest prices of a step: micro-dollars per token, and dollars per call and per search."""

    input: Decimal
    output: Decimal
    request: Decimal
    search: Decimal
    most_searches: int


@lru_cache(maxsize=1024)
def _dearest(price: Price, tiers: frozenset[str], kinds: frozenset[str]) -> tuple[tuple[int, _Rates], ...]:
    """Return the dearest prices of these kinds, with the input's length that each holds above."""
    steps = [step for tier in tiers for step in ((-1, price.in_tier(tier)), *price.in_tier(tier).steps)]
    return tuple((above, _rates(step, kinds)) for above, step in steps)


def _rates(price: Price, kinds: frozenset[str]) -> _Rates:
    sent, written = (
        max(map(price.per_million, kinds & group.keys())) for group in (INPUT_KINDS, OUTPUT_KINDS)
    )
    most_searches = 1 if price.searches_once else sys.maxsize
    return _Rates(_exact(sent), _exact(written), _exact(price.request), _exact(price.search), most_searches)


def _rounded_up(micros: Decimal) -> int:
    return int(micros.to_integral_value(ROUND_CEILING))


@lru_cache(maxsize=4096)
def _exact(price: float) -> Decimal:
    # In binary, 30 tokens at a price of 0.1 are 3.0000000000000004, which would be rounded up to 4.
    return Decimal(str(price))


def _count(value: int) -> int:
    if value < 0:
        raise ValueError(f"a count cannot be negative: {value}")
    return value
