"""The most that a call can cost, from its request, and what it did cost, from its usage.

Both look at the request for what makes a call dearer than plain text: a tier, searches, sounds, images, a
long-lived prompt cache. They read the canonical JSON of the body as text: a quotation of it inside a prompt
has escaped quotes and does not match.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from itertools import compress
from typing import NamedTuple

from router_core.pricing import STANDARD, Price, Usage, charged_micros, worst_case_micros
from router_core.pricing.usage import TOKEN_KINDS
from tasks.content.bounds import IMAGE_TOKENS, UNKNOWN_TOKENS, media_of
from tasks.providers.usage import tier_of
from tasks.settings import ModelSettings

#: results that the model reads for each search of its provider
TOKENS_PER_SEARCH = 20_000
#: instructions that providers add to tools and schemas: Anthropic up to 700 tokens
TOKENS_FOR_TOOLS = 1_024
#: a provider may count this many input tokens above the bound before its count is taken for a misreport
HIDDEN_TOKENS = 4_096

#: A body without any of these is plain text in the standard tier. Prompts may be long and full of quotes: the
#: letter that follows a quote rules most of them out, in a tenth of the time of the names.
_NOT_PLAIN = re.compile(
    r'"(?=[stfrmaivwgpSWGP])'
    r"(?:service_tier|tools|functions|response_format|modalities|audio|ttl|input_audio|audio_url|image"
    r"|input_image|input_file|file|video_url|(?i:plugins|web_?search|google_?search|search_parameters))"
)
_ATTACHMENT = re.compile(r'"type":"(?:image_url|input_image|image|file|input_file|video_url)"')
#: the attachments that `media_of` does not know
_OTHER_ATTACHMENT = re.compile(r'"type":"image"')
_TIER = re.compile(r'"service_tier":"(\w+)"')
_TOOLS = re.compile(r'"(?:tools|functions|response_format)":')
_SEARCH = re.compile(r'"(?:web_?search\w*|google_?search\w*|search_parameters|plugins)"', re.IGNORECASE)
#: models that search for every answer
_SEARCH_MODEL = re.compile(r"^perplexity/|/sonar|search|:online$")
#: the kinds of tokens that a call uses only if its body has one of these
_KINDS = (
    (re.compile(r'"(?:input_audio|audio_url)"'), ("audio_input", "cached_audio_input")),
    (_ATTACHMENT, ("image_input",)),
    (re.compile(r'"ttl":"1h"'), ("cache_write_1h",)),
    (re.compile(r'"(?:modalities|audio)":'), ("audio_output", "image_output")),
)


class Demand(NamedTuple):
    """What a call may use.

    Attributes:
        input_bytes: The UTF-8 size of its text, and as many more as attachments and tools may count for.
        messages: The number of messages, or of inputs.
        kinds: The kinds of tokens beside those of plain text.
        tiers: The tiers that may serve it.
        searches: Whether it asks its provider to search.
        unknown: How many of its attachments may be as long as the model's context window.
    """

    input_bytes: int
    messages: int
    kinds: frozenset[str] = frozenset()
    tiers: frozenset[str] = frozenset((STANDARD,))
    searches: bool = False
    unknown: int = 0

    def in_standard_tier(self) -> Demand:
        """Return the same for a call whose tier was not sent."""
        return self._replace(tiers=frozenset((STANDARD,)))


def demand_of(body: str, *, body_bytes: int, messages: int) -> Demand:
    """Return what a call with this body may use.

    Args:
        body: The canonical JSON of the request's body.
        body_bytes: Its size in UTF-8.
        messages: The number of messages, or of inputs.
    """
    if _NOT_PLAIN.search(body) is None:
        return Demand(body_bytes, messages)
    media = media_of(body)
    tokens = media.tokens + IMAGE_TOKENS * len(_OTHER_ATTACHMENT.findall(body))
    return Demand(
        body_bytes - media.bytes + tokens + (TOKENS_FOR_TOOLS if _TOOLS.search(body) else 0),
        messages,
        frozenset(kind for pattern, kinds in _KINDS if pattern.search(body) for kind in kinds),
        frozenset((STANDARD, *filter(None, map(tier_of, _TIER.findall(body))))),
        _SEARCH.search(body) is not None,
        media.unknown,
    )


def worst_case_of(demand: Demand, model: ModelSettings, *, max_tokens: int, price: Price) -> int:
    """Return the most that a call can cost, in micro-dollars, at this limit of its output tokens."""
    searches = _searches(demand, model)
    return worst_case_micros(
        input_bytes=_input_bytes(demand, model) + searches * TOKENS_PER_SEARCH,
        messages=demand.messages,
        max_tokens=max_tokens,
        price=price,
        tiers=demand.tiers,
        kinds=demand.kinds | {"citation"} if searches else demand.kinds,
        searches=searches,
    )


def cost_of(usage: Usage, demand: Demand, model: ModelSettings, *, max_tokens: int, price: Price) -> int:
    """Return what a call cost, in micro-dollars: what its provider reports, as far as that can be true.

    A provider cannot have read more than was sent, nor written more than the limit, except for what no limit
    holds for: thoughts, searches and their texts.
    """
    if not usage.searches and _always_searches(model):
        usage = replace(usage, searches=1)
    tiers = demand.tiers if usage.tier is None else frozenset((usage.tier,))
    charged = charged_micros(usage, price, tiers=tiers)
    if _is_within(usage, demand.input_bytes, max_tokens):
        return max(charged, usage.billed or 0)
    searches = max(usage.searches, _searches(demand, model))
    most = worst_case_micros(
        input_bytes=_input_bytes(demand, model)
        + searches * TOKENS_PER_SEARCH
        + usage.citation
        + HIDDEN_TOKENS,
        messages=demand.messages,
        max_tokens=max_tokens + usage.reasoning + usage.unexplained,
        price=price,
        tiers=tiers,
        kinds=demand.kinds.union(compress(TOKEN_KINDS, usage.by_kind)),
        searches=searches,
    )
    return max(min(charged, most), usage.billed or 0)


def _is_within(usage: Usage, input_bytes: int, max_tokens: int) -> bool:
    """Return whether a usage is below the worst case as it stands, as nearly all are."""
    is_one_call = usage.requests == 1 and not usage.searches
    return is_one_call and usage.prompt_tokens <= input_bytes and usage.completion_tokens <= max_tokens


def _input_bytes(demand: Demand, model: ModelSettings) -> int:
    if not demand.unknown:
        return demand.input_bytes
    window = model.known_capabilities.context_window or UNKNOWN_TOKENS
    return demand.input_bytes + demand.unknown * window


def _searches(demand: Demand, model: ModelSettings) -> int:
    """Return the most searches that a call makes."""
    return model.max_searches if demand.searches or _always_searches(model) else 0


def _always_searches(model: ModelSettings) -> bool:
    return _is_search_model(model.litellm)


@lru_cache(maxsize=1024)
def _is_search_model(litellm_model: str) -> bool:
    return _SEARCH_MODEL.search(litellm_model) is not None
