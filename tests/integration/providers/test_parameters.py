"""The parameters of a request on the wire, over both transports, and the names of those that are not sent."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web

from tasks.parameters import CHAT_PARAMETERS
from tasks.parameters.table import NOT_SENT
from tasks.providers import Reply
from tasks.providers.interface import Transport
from tests.support.provider_server import COMPLETION, REQUEST, serve

#: every parameter of the table but tools, which LiteLLM handles by itself
ALL: dict[str, Any] = {
    "audio": {"voice": "alloy", "format": "wav"},
    "frequency_penalty": 0.1,
    "logit_bias": {"1": 1},
    "logprobs": True,
    "max_tokens": 64,
    "metadata": {"run": "7"},
    "modalities": ["text", "audio"],
    "prediction": {"type": "content", "content": "x"},
    "presence_penalty": 0.1,
    "prompt_cache_key": "k",
    "prompt_cache_retention": "24h",
    "response_format": {"type": "json_object"},
    "safety_identifier": "s",
    "seed": 1,
    "service_tier": "flex",
    "stop": ["x"],
    "store": False,
    "temperature": 0.5,
    "top_logprobs": 2,
    "top_p": 0.5,
    "user": "u",
    "verbosity": "low",
    "web_search_options": {},
}
EXTRA: dict[str, Any] = {
    "top_k": 5,
    "chat_template_kwargs": {"enable_thinking": False},
    "thinking": {"type": "enabled", "budget_tokens": 1024},
    "guided_json": {"type": "object"},
    "min_p": 0.1,
}


ANTHROPIC_REPLY = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "whatever",
    "content": [{"type": "text", "text": "four"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 5, "output_tokens": 1},
}


def call(
    parameters: dict[str, Any],
    *,
    model: str = "openai/some-server",
    transport: Transport = "litellm",
    extra_params: frozenset[str] = frozenset(),
) -> tuple[dict[str, Any], Reply]:
    """The JSON that reached the server for a request with these parameters, and the reply."""

    async def handler(http: web.Request) -> web.StreamResponse:
        return web.json_response(ANTHROPIC_REPLY if http.path.endswith("/messages") else COMPLETION)

    request = {"messages": REQUEST["messages"], **parameters}
    served = serve(handler, request, transport=transport, model=model, extra_params=extra_params)
    return served.received[-1], served.reply


def test_the_samples_here_cover_the_table() -> None:
    left_out = {"max_completion_tokens", "n", "reasoning_effort"}  # alone below, one only, rewritten for vLLM
    tools = {"tools", "tool_choice", "parallel_tool_calls", "functions", "function_call"}
    assert CHAT_PARAMETERS.keys() - NOT_SENT - left_out - tools == ALL.keys()


@pytest.mark.parametrize("effort", [{}, {"reasoning_effort": "low"}])
def test_a_server_of_ones_own_gets_every_parameter_as_it_was_given(
    transport: Transport, effort: dict[str, str]
) -> None:
    # With `reasoning_effort`, LiteLLM's adapter for OpenAI makes the call, and its one for vLLM without.
    sent, reply = call({**ALL, **effort}, transport=transport)
    assert {name: sent.get(name) for name in {**ALL, **effort}} == {**ALL, **effort}
    assert reply.dropped == ()


@pytest.mark.parametrize("effort", [{}, {"reasoning_effort": "low"}])
def test_extra_parameters_reach_a_server_that_takes_them(
    transport: Transport, effort: dict[str, str]
) -> None:
    sent, reply = call({**EXTRA, **effort}, transport=transport, extra_params=frozenset(EXTRA))
    assert {name: sent.get(name) for name in EXTRA} == EXTRA
    assert reply.dropped == ()


def test_what_a_deployment_no_longer_takes_is_not_sent_and_named(transport: Transport) -> None:
    sent, reply = call({**EXTRA, "temperature": 0}, transport=transport, extra_params=frozenset({"top_k"}))
    assert sent.keys() & EXTRA.keys() == {"top_k"}
    assert reply.dropped == ("chat_template_kwargs", "guided_json", "min_p", "thinking")


@pytest.mark.parametrize(
    ("model", "dropped"),
    [
        ("openai/gpt-4o", {"verbosity"}),
        ("openai/o3-mini", {
            "frequency_penalty", "logprobs", "presence_penalty", "temperature", "top_logprobs", "top_p",
            "verbosity",
        }),
    ],
)  # fmt: skip
def test_what_a_model_of_openai_does_not_take_is_named(model: str, dropped: set[str]) -> None:
    sent, reply = call(ALL, model=model)
    assert set(reply.dropped) == dropped
    renamed = {"max_completion_tokens", "max_tokens"}
    assert ALL.keys() - renamed - sent.keys() == dropped
    assert sent["metadata"] == {"run": "7"}


def test_a_value_that_a_model_takes_is_not_dropped() -> None:
    assert call({"temperature": 1}, model="openai/o3-mini")[1].dropped == ()


def test_anthropic_gets_its_own_parameters_and_the_rest_is_named() -> None:
    extra = {"thinking": EXTRA["thinking"], "top_k": 5}
    given = {
        "temperature": 1,
        "seed": 1,
        "metadata": {"run": "7"},
        "max_tokens": 2048,
        "stop": ["x"],
        **extra,
    }
    sent, reply = call(given, model="anthropic/claude-sonnet-4-5", extra_params=frozenset(extra))
    assert {name: sent[name] for name in ("top_k", "thinking", "max_tokens", "stop_sequences")} == {
        **extra,
        "max_tokens": 2048,
        "stop_sequences": ["x"],
    }
    assert reply.dropped == ("metadata", "seed")
    assert "extra_body" not in sent


def test_a_null_is_the_default_and_is_not_dropped() -> None:
    sent, reply = call({"temperature": None, "seed": None, "top_k": None}, extra_params=frozenset({"top_k"}))
    assert sent.keys().isdisjoint({"temperature", "seed", "top_k"})
    assert reply.dropped == ()
