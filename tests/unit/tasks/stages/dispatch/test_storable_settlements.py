"""Whatever a provider replies, what is to be stored of it fits the store's columns."""

from __future__ import annotations

import json
from itertools import product
from typing import Any, cast

import aiohttp
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.endpoints.endpoint import CHAT_PATH
from tasks.endpoints.registry import ENDPOINTS
from tasks.providers.errors import ProviderError
from tasks.providers.exchange import Exchange
from tasks.providers.replies.reading import read_reply
from tasks.settings import DispatchSettings, ModelSettings
from tasks.stages.dispatch import call
from tasks.stages.dispatch.repository import CallHistory
from tasks.store.values import Call, HeldRequest, RequestResult, Settlement

BODY = '{"messages":[{"role":"user","content":"q"}],"input":"q","prompt":"q"}'
MODELS = [
    ModelSettings(
        name="m", litellm=litellm, input_price=1.5, output_price=6, request_price=0.01, search_price=1
    )
    for litellm in ("openai/m", "perplexity/sonar", "xai/grok")
]
FIGURES = (
    "prompt_tokens", "completion_tokens", "total_tokens", "input_tokens", "output_tokens", "cost",
    "total_cost", "estimated_cost", "cost_in_usd_ticks", "upstream_inference_cost", "cost_details", "is_byok",
    "prompt_tokens_details", "completion_tokens_details", "cached_tokens", "audio_tokens", "reasoning_tokens",
    "cache_creation_input_tokens", "cache_read_input_tokens", "cache_creation", "citation_tokens",
    "num_search_queries", "search_context_size", "server_tool_use", "web_search_requests", "num_sources_used",
    "promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount", "totalTokenCount", "service_tier",
)  # fmt: skip
OTHERS = ("id", "error", "code", "status", "type", "message", "choices", "output", "data", "results", "text",
          "finish_reason", "usageMetadata", "object", "retry_after", "created", "model")  # fmt: skip
ODD = (0, 1, -1, 20_000_000, 2**31, 2**63, 10**30, 1e300, -1e300, float("nan"), float("inf"), 0.5, "12",
       "1e300", "9" * 400, "", "\ud83d", "a\0b", "error", "flex", "high", None, True)  # fmt: skip


def objects(names: tuple[str, ...]) -> st.SearchStrategy[dict[str, Any]]:
    values = st.recursive(
        st.sampled_from(ODD),
        lambda inner: (
            st.dictionaries(st.sampled_from(names), inner, max_size=4) | st.lists(inner, max_size=2)
        ),
        max_leaves=6,
    )
    return st.dictionaries(st.sampled_from(names), values, max_size=6)


CONTENTS = st.sampled_from(["yes", "\ud83d", "a\0b", "", None, ["x"]])
CHOICES = st.builds(
    lambda content, reason: [{"finish_reason": reason, "message": {"role": "assistant", "content": content}}],
    CONTENTS,
    st.sampled_from(["stop", "length", "error", None]),
)
PLAIN = {"prompt_tokens": 20, "completion_tokens": 10}
REPLIES = st.builds(
    lambda others, answer, usage: {**others, **answer, "usage": usage},
    objects((*OTHERS, *FIGURES)),
    st.just({}) | CHOICES.map(lambda choices: {"choices": choices}),
    objects(FIGURES),
)


@settings(max_examples=1_000)
@given(
    reply=REPLIES,
    path=st.sampled_from(sorted(ENDPOINTS)),
    model=st.sampled_from(MODELS),
    status=st.sampled_from([200, 429, 500]),
)
def test_what_is_stored_of_any_reply_fits_the_columns(
    reply: dict[str, Any], path: str, model: ModelSettings, status: int
) -> None:
    check(settled(json.dumps(reply).encode(), path, model, status))


def test_one_odd_figure_among_plausible_ones_fits_the_columns() -> None:
    """It is believed more often than many: every name alone, and inside every other."""
    for outer, inner, value in product(FIGURES, (None, *FIGURES), ODD):
        usage = {**PLAIN, outer: value if inner is None else {inner: value}}
        choice = {"finish_reason": "stop", "message": {"role": "assistant", "content": "yes"}}
        content = json.dumps({"choices": [choice], "usage": usage}).encode()
        check(settled(content, CHAT_PATH, MODELS[0], 200))


def check(settlement: Settlement) -> None:
    numbers = [settlement.status_code, settlement.prompt_tokens, settlement.completion_tokens]
    texts = [settlement.answer, settlement.error_code, json.dumps(settlement.usage, allow_nan=False)]
    following = settlement.next
    if isinstance(following, RequestResult):
        numbers += [following.status_code, following.latency_ms]
        notes = json.dumps(following.notes, allow_nan=False)
        texts += [following.body, following.error_code, following.error_message, notes]
    else:
        assert 0 <= following.after_s < 86_400
    assert [one for one in numbers if one is not None and not 0 <= one < 2**31] == []
    assert 0 <= (settlement.cost or 0) < 2**63
    assert 0 <= settlement.worst < 2**63
    assert [text for text in texts if text is not None and "\0" in text.encode().decode()] == []


def settled(content: bytes, path: str, model: ModelSettings, status: int) -> Settlement:
    """Return the settlement of a call with this response, as a dispatch worker makes it."""
    request = HeldRequest(1, "a", BODY, len(BODY), 1, None, "m", 0, 0, 1, 1, endpoint=path)
    exchange = Exchange(
        cast("aiohttp.ClientSession", None), 1 << 20, sent=True, status=status, content=content
    )
    body, deployment = call.body_of(request, model), call.deployment_of(model)
    try:
        reply = read_reply(exchange, deployment=deployment, request=body, latency_s=0.1, endpoint=path)
        return call.settlement_of_reply(request, reply, model)
    except ProviderError as error:
        return call.settlement_of_error(
            request,
            error,
            model,
            history=CallHistory([Call("m", None)], []),
            latency_s=0.1,
            policy=call.policy_of(DispatchSettings()),
        )
