"""Each provider's protocol over plain HTTP: paths, keys, replies, usage, errors, caches; no streams."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse
from typing import Any

import pytest

from workers.simulator import Fault, Shape, SimulatorProcess

LONG = "The harbour report of the year. " * 200


@dataclass(frozen=True)
class Dialect:
    """How a provider is asked, and where its reply has what."""

    path: str
    model: str
    headers: Mapping[str, str]
    body: Callable[[str, str], dict[str, Any]]
    text: Callable[[dict[str, Any]], Any]
    usage: str
    message: Callable[[Any], Any] = lambda body: body["error"]["message"]
    errors: Mapping[Fault, int] = field(default_factory=dict)
    """Statuses that differ from OpenAI's."""


def chat_body(model: str, prompt: str) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": prompt}]}


def chat_text(body: dict[str, Any]) -> Any:
    return body["choices"][0]["message"]["content"]


def gemini_text(body: dict[str, Any]) -> Any:
    parts = body["candidates"][0]["content"]["parts"]
    shown = [part["text"] for part in parts if "thought" not in part]
    return shown[0]


BEARER = {"Authorization": "Bearer sk-key"}
SIGNED = {
    "Authorization": "AWS4-HMAC-SHA256 Credential=AKIA1/20260101/us-east-1/bedrock/aws4_request, Signature=0"
}
BEDROCK_MODEL = "anthropic.claude-sonnet-4-5-20250929-v1:0"
LLAMA = "meta-llama/Llama-3.1-8B-Instruct"

DIALECTS = {
    "openai": Dialect(
        "/chat/completions", "gpt-4o-mini", BEARER, chat_body, chat_text, "usage",
        errors={Fault.OVERLOADED: 503},
    ),
    "openai responses": Dialect(
        "/responses", "gpt-4o-mini", BEARER, lambda model, prompt: {"model": model, "input": prompt},
        lambda body: body["output"][0]["content"][0]["text"], "usage", errors={Fault.OVERLOADED: 503},
    ),
    "anthropic": Dialect(
        "/v1/messages", "claude-sonnet-4-5", {"x-api-key": "sk-key", "anthropic-version": "2023-06-01"},
        lambda model, prompt: {**chat_body(model, prompt), "max_tokens": 500},
        lambda body: body["content"][0]["text"], "usage", errors={Fault.QUOTA: 400},
    ),
    "gemini": Dialect(
        "/models/{model}:generateContent", "gemini-2.5-flash", {"x-goog-api-key": "key"},
        lambda _, prompt: {"contents": [{"role": "user", "parts": [{"text": prompt}]}]},
        gemini_text,
        "usageMetadata",
        errors={Fault.OVERLOADED: 503, Fault.UNAUTHORIZED: 400, Fault.PAYMENT_REQUIRED: 403},
    ),
    "deepseek": Dialect(
        "/chat/completions", "deepseek-chat", BEARER, chat_body, chat_text, "usage",
        errors={Fault.OVERLOADED: 503, Fault.QUOTA: 402},
    ),
    "perplexity": Dialect(
        "/chat/completions", "sonar", BEARER, chat_body, chat_text, "usage",
        errors={Fault.QUOTA: 401, Fault.PAYMENT_REQUIRED: 401},
    ),
    "mistral": Dialect(
        "/chat/completions", "mistral-small-latest", BEARER, chat_body, chat_text, "usage",
        message=lambda body: body.get("message") or body["detail"],
        errors={Fault.OVERLOADED: 503, Fault.CONTENT_POLICY: 403},
    ),
    "bedrock": Dialect(
        "/model/{model}/converse", BEDROCK_MODEL, SIGNED,
        lambda _, prompt: {"messages": [{"role": "user", "content": [{"text": prompt}]}]},
        lambda body: body["output"]["message"]["content"][-1]["text"], "usage",
        message=lambda body: body["message"],
        errors={
            Fault.OVERLOADED: 429, Fault.QUOTA: 400, Fault.UNAUTHORIZED: 403, Fault.PAYMENT_REQUIRED: 403,
        },
    ),
    "vllm": Dialect("/chat/completions", LLAMA, BEARER, chat_body, chat_text, "usage"),
    "xai": Dialect(
        "/chat/completions", "grok-3-mini", BEARER, chat_body, chat_text, "usage",
        message=lambda body: body["error"],
        errors={Fault.UNAUTHORIZED: 400, Fault.PAYMENT_REQUIRED: 403, Fault.CONTENT_POLICY: 403},
    ),
    "openrouter": Dialect(
        "/chat/completions", "openai/gpt-4o-mini", BEARER, chat_body, chat_text, "usage",
        errors={
            Fault.SERVER_ERROR: 200, Fault.BAD_GATEWAY: 200, Fault.OVERLOADED: 200, Fault.QUOTA: 402,
            Fault.CONTENT_POLICY: 403,
        },
    ),
}  # fmt: skip
#: errors whose status is the same at all providers, or as `Dialect.errors` says
STATUSES = {
    Fault.RATE_LIMIT_SECONDS: 429, Fault.QUOTA: 429, Fault.SERVER_ERROR: 500, Fault.BAD_GATEWAY: 502,
    Fault.UNAVAILABLE: 503, Fault.OVERLOADED: 529, Fault.UNAUTHORIZED: 401, Fault.PAYMENT_REQUIRED: 402,
    Fault.FORBIDDEN: 403, Fault.CONTEXT_LENGTH: 400, Fault.CONTENT_POLICY: 400,
}  # fmt: skip


def post(
    sim: SimulatorProcess, name: str, body: Mapping[str, Any], *, headers: Mapping[str, str] | None = None,
    model: str | None = None, path: str | None = None,
) -> HTTPResponse:  # fmt: skip
    dialect = DIALECTS[name]
    url = sim.url_of(name.split(" ")[0]) + (path or dialect.path).replace("{model}", model or dialect.model)
    host, _, rest = url.removeprefix("http://").partition("/")
    connection = HTTPConnection(host, timeout=30)
    sent = dialect.headers if headers is None else headers
    connection.request("POST", f"/{rest}", json.dumps(body), {"Content-Type": "application/json", **sent})
    return connection.getresponse()


def ask(sim: SimulatorProcess, name: str, prompt: str, **more: Any) -> HTTPResponse:
    dialect = DIALECTS[name]
    return post(sim, name, {**dialect.body(dialect.model, prompt), **more})


def answer(sim: SimulatorProcess, name: str, prompt: str, **more: Any) -> dict[str, Any]:
    response = ask(sim, name, prompt, **more)
    body = json.loads(response.read())
    assert response.status == 200, body
    return dict(body)


every_provider = pytest.mark.parametrize("name", DIALECTS)


@every_provider
def test_a_question_is_answered_in_the_providers_structure_and_billed(
    sim: SimulatorProcess, name: str
) -> None:
    dialect = DIALECTS[name]
    body = answer(sim, name, "How deep is the harbour?")
    assert len(dialect.text(body)) > 20
    assert all(value >= 0 for value in body[dialect.usage].values() if isinstance(value, int))
    counts = sim.client.stats()["models"][dialect.model]
    assert (counts["received"], counts["billed"]) == (1, 1)
    assert counts["billed_micro_usd"] > 0


@every_provider
def test_a_stream_is_refused(sim: SimulatorProcess, name: str) -> None:
    path = {"gemini": "/models/{model}:streamGenerateContent", "bedrock": "/model/{model}/converse-stream"}
    dialect = DIALECTS[name]
    body = dialect.body(dialect.model, "hello")
    if name in path:
        assert post(sim, name, body, path=path[name]).status == 404
    else:
        response = post(sim, name, {**body, "stream": True})
        assert response.status == (422 if name == "mistral" else 400)
        assert "stream" in response.read().decode()
    assert sim.client.stats()["billed"] == 0


@every_provider
def test_a_caller_without_a_key_is_not_answered(sim: SimulatorProcess, name: str) -> None:
    dialect = DIALECTS[name]
    version = {"anthropic-version": "2023-06-01"}
    response = post(sim, name, dialect.body(dialect.model, "hello"), headers=version)
    if name == "vllm":  # whose keys are optional
        assert response.status == 200
    else:
        assert response.status == dialect.errors.get(Fault.UNAUTHORIZED, 401)
        assert sim.client.stats()["billed"] == 0


@every_provider
def test_an_unknown_model_has_an_error_of_its_own(sim: SimulatorProcess, name: str) -> None:
    response = post(sim, name, DIALECTS[name].body("unknown", "hello"), model="unknown")
    status = {"deepseek": 400, "perplexity": 400, "mistral": 400, "bedrock": 400, "openrouter": 400}
    assert response.status == status.get(name, 404)
    assert DIALECTS[name].message(json.loads(response.read()))


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        (name, fault)
        for name in DIALECTS
        for fault in STATUSES
        if (name, fault) != ("gemini", Fault.CONTENT_POLICY)  # it blocks the prompt in a 200: see below
    ],
)
def test_each_error_has_the_providers_status_and_structure(
    sim: SimulatorProcess, name: str, fault: Fault
) -> None:
    dialect = DIALECTS[name]
    response = ask(sim, name, f"[[sim:{fault}]] canary-prompt")
    assert response.status == dialect.errors.get(fault, STATUSES[fault])
    text = response.read().decode()
    if (name, fault) in (("perplexity", Fault.UNAUTHORIZED), ("vllm", Fault.UNAUTHORIZED)):
        assert "Unauthorized" in text or "401 Authorization Required" in text
    elif (name, fault) != ("mistral", Fault.UNAUTHORIZED):
        assert "canary-prompt" in dialect.message(json.loads(text))
    assert sim.client.stats()["billed"] == 0


@every_provider
def test_damaged_replies_are_billed(sim: SimulatorProcess, name: str) -> None:
    dialect = DIALECTS[name]
    assert ask(sim, name, "[[sim:html]]").getheader("Content-Type", "").startswith("text/html")
    with pytest.raises(json.JSONDecodeError):
        json.loads(ask(sim, name, "[[sim:truncated]]").read())
    assert not answer(sim, name, "[[sim:no_usage]]").get(dialect.usage)
    absurd = json.dumps(answer(sim, name, "[[sim:absurd_usage]]")[dialect.usage])
    assert "-1" in absurd
    assert "1000000000000" in absurd
    for fault in ("no_choices", "empty_content"):
        body = answer(sim, name, f"[[sim:{fault}]]")
        with pytest.raises((KeyError, IndexError, AssertionError)):
            assert dialect.text(body)
    assert sim.client.stats()["billed"] == 6


@pytest.mark.parametrize("name", ["openai", "openai responses", "deepseek", "xai", "openrouter"])
def test_a_repeated_beginning_is_read_from_the_cache(sim: SimulatorProcess, name: str) -> None:
    field_name = "input" if "responses" in name else "messages"

    def ask_about(question: str) -> dict[str, Any]:
        turns = [{"role": "system", "content": LONG}, {"role": "user", "content": question}]
        return dict(answer(sim, name, "", **{field_name: turns})["usage"])

    assert [_cached(ask_about(question)) for question in ("Who?", "Where?")] == [0, 1536]


def _cached(usage: Mapping[str, Any]) -> int:
    details = usage.get("prompt_tokens_details") or usage["input_tokens_details"]
    assert usage.get("prompt_cache_hit_tokens", details["cached_tokens"]) == details["cached_tokens"]
    return int(details["cached_tokens"])


@pytest.mark.parametrize(("ttl", "price"), [("5m", 3.75), ("1h", 6.0)])
def test_anthropic_bills_what_a_request_marks_for_its_cache(
    sim: SimulatorProcess, ttl: str, price: float
) -> None:
    mark = {"type": "ephemeral", "ttl": ttl}
    system = [{"type": "text", "text": LONG, "cache_control": mark}]
    usages = [answer(sim, "anthropic", prompt, system=system)["usage"] for prompt in ("Who?", "Where?")]
    assert [usage["cache_creation_input_tokens"] for usage in usages] == [1600, 0]
    assert [usage["cache_read_input_tokens"] for usage in usages] == [0, 1600]
    assert usages[0]["cache_creation"][f"ephemeral_{ttl}_input_tokens"] == 1600
    exact = 1600 * price + 1600 * 0.3 + sum(u["input_tokens"] * 3 + u["output_tokens"] * 15 for u in usages)
    assert sim.client.stats()["billed_micro_usd"] == pytest.approx(exact, abs=2)


def test_bedrock_has_cache_points(sim: SimulatorProcess) -> None:
    system = [{"text": LONG}, {"cachePoint": {"type": "default"}}]
    usages = [answer(sim, "bedrock", prompt, system=system)["usage"] for prompt in ("Who?", "Where?")]
    assert [(u["cacheWriteInputTokens"], u["cacheReadInputTokens"]) for u in usages] == [(1600, 0), (0, 1600)]


def test_gemini_blocks_a_prompt_within_a_200(sim: SimulatorProcess) -> None:
    body = answer(sim, "gemini", "[[sim:filtered]]")
    assert "candidates" not in body
    assert body["promptFeedback"] == {"blockReason": "PROHIBITED_CONTENT"}


def test_gemini_counts_thoughts_beside_the_candidates_and_takes_both_spellings(sim: SimulatorProcess) -> None:
    settings = {"max_output_tokens": 5, "thinking_config": {"thinking_budget": 100}}
    body = answer(sim, "gemini", "hello", generation_config=settings)
    usage = body["usageMetadata"]
    assert usage["thoughtsTokenCount"] == 32
    assert usage["candidatesTokenCount"] == 5
    assert usage["totalTokenCount"] == usage["promptTokenCount"] + 37
    assert body["candidates"][0]["finishReason"] == "MAX_TOKENS"


def test_xai_counts_reasoning_outside_the_completion_and_bills_it(sim: SimulatorProcess) -> None:
    usage = answer(sim, "xai", "hello")["usage"]
    assert usage["completion_tokens_details"]["reasoning_tokens"] == 100
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"] + 100
    exact = usage["prompt_tokens"] * 0.3 + (usage["completion_tokens"] + 100) * 0.5
    assert sim.client.stats()["billed_micro_usd"] == pytest.approx(exact, abs=1)


def test_perplexity_bills_a_search_and_names_its_sources(sim: SimulatorProcess) -> None:
    body = answer(sim, "perplexity", "hello")
    assert body["search_results"][0]["url"] == body["citations"][0]
    assert sim.client.stats()["billed_micro_usd"] > 5000
    assert body["usage"]["cost"]["total_cost"] == sim.client.stats()["billed_micro_usd"] / 1e6


def test_openrouter_fails_within_a_200_and_names_the_cost(sim: SimulatorProcess) -> None:
    failed = answer(sim, "openrouter", "[[sim:status=502]]")
    assert failed["error"]["code"] == 502
    body = answer(sim, "openrouter", "hello")
    assert body["usage"]["cost"] == sim.client.stats()["billed_micro_usd"] / 1e6
    assert ask(sim, "openrouter", "hello").read()[:1] == b"\n"


def test_tiers_are_echoed_and_priced(sim: SimulatorProcess) -> None:
    prices = []
    for tier in ("default", "flex", "priority"):
        sim.client.reset()
        model = {"model": "gpt-5-mini", "service_tier": tier}
        assert answer(sim, "openai", "hello", **model)["service_tier"] == tier
        prices.append(sim.client.stats()["billed_micro_usd"])
    assert prices[1:] == [pytest.approx(prices[0] * factor, abs=1) for factor in (0.5, 1.8)]


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("openai", {"top_k": 5}),
        ("openai", {"model": "gpt-5-mini", "max_tokens": 5}),
        ("openai", {"messages": [{"role": "user", "content": "x"}, {"role": "tool", "content": "1"}]}),
        ("openai", {"messages": [{"role": "user", "content": None}]}),
        ("anthropic", {"seed": 5}),
        ("anthropic", {"messages": [{"role": "system", "content": "x"}]}),
        ("anthropic", {"messages": [{"role": "assistant", "content": "x"}]}),
        ("anthropic", {"temperature": 1.5}),
        ("gemini", {"seed": 5}),
        ("gemini", {"contents": []}),
        ("deepseek", {"messages": [{"role": "user"}]}),
        ("deepseek", {"response_format": {"type": "json_schema", "json_schema": {}}}),
        ("mistral", {"seed": 5}),
        ("mistral", {"messages": [{"role": "user", "content": "x"}, {"role": "tool", "tool_call_id": "c1"}]}),
        ("mistral", {"messages": [{"role": "system", "content": "x"}]}),
        ("bedrock", {"seed": 5}),
        ("bedrock", {"messages": [{"role": "user", "content": [{"toolUse": {}}]}]}),
    ],
)  # fmt: skip
def test_what_a_provider_does_not_take_is_refused(
    sim: SimulatorProcess, name: str, more: dict[str, Any]
) -> None:
    response = ask(sim, name, "hello", **more)
    assert response.status in (400, 422)
    assert DIALECTS[name].message(json.loads(response.read()))
    assert sim.client.stats()["billed"] == 0


CHAT = [name for name, dialect in DIALECTS.items() if dialect.text is chat_text]
TOOL = {
    "type": "function",
    "function": {
        "name": "add",
        "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
    },
}


@pytest.mark.parametrize("name", CHAT)
def test_a_tool_is_called_with_arguments_that_fit(sim: SimulatorProcess, name: str) -> None:
    body = answer(sim, name, "[[sim:tool_call]] add", tools=[TOOL])
    (choice,) = body["choices"]
    (call,) = choice["message"]["tool_calls"]
    assert choice["finish_reason"] == "tool_calls"
    assert not choice["message"]["content"]
    assert isinstance(json.loads(call["function"]["arguments"])["a"], int)
    if name == "mistral":
        assert len(call["id"]) == 9


@pytest.mark.parametrize("shape", Shape)
def test_every_shape_is_served(sim: SimulatorProcess, shape: Shape) -> None:
    response = ask(sim, "vllm", f"[[sim:{shape}]] hello", tools=[TOOL])
    content = response.read()
    assert response.status == 200
    unbilled = shape in (Shape.RATE_LIMIT_IN_200, Shape.ERROR_IN_200)
    assert sim.client.stats()["billed"] == (0 if unbilled else 1)
    assert content != ask(sim, "vllm", "hello").read()
