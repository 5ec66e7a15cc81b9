"""How each provider is asked over plain HTTP, and where its reply has what."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse
from typing import Any

import pytest

from workers.simulator import Fault, SimulatorProcess


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
