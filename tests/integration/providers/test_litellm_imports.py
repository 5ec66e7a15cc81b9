"""LiteLLM imports optional packages while it serves a request: none that a request needs may be missing."""

from __future__ import annotations

import ast
import asyncio
import importlib.abc
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from pydantic import SecretStr

from tasks.providers import Deployment, InternalError, ProviderError
from tasks.providers.interface import Transport
from tasks.providers.litellm_setup import import_litellm
from tasks.providers.required_packages import missing_for
from tests.support.provider_calls import opened, outcome_of
from tests.support.provider_server import answering, serve, serving

#: what a dispatch worker installs
ROOTS = ("litellm", "aiohttp", "waybill")
#: folders of LiteLLM that no request of a batch reaches: its proxy, loggers, agents, other APIs
OUTSIDE = (
    "proxy", "integrations", "experimental_mcp_client", "secret_managers", "caching", "router_strategy",
    "a2a_protocol", "passthrough", "realtime_api", "files", "fine_tuning", "rag", "vector_stores", "videos",
    "images", "google_genai", "interactions", "containers", "batches", "assistants", "ocr", "evals",
    "repositories", "harness", "types", "skills", "rerank_api", "responses/mcp",
)  # fmt: skip
#: what else LiteLLM imports, and why no request needs it
KNOWN = {
    # loggers and monitoring, which `unlogged` skips
    "ddtrace", "opentelemetry", "sentry_sdk", "slack_bolt", "litellm_enterprise",
    # tools of its proxy's gateway, which `_skip_mcp_handler` skips; guardrails and skills of its proxy
    "mcp", "fastapi", "prisma", "llm_sandbox",
    # other APIs: real-time and transcription of speech; errors of an ASGI server
    "audioread", "aws_sdk_bedrock_runtime", "riva", "smithy_aws_core", "scipy", "smithy_http",
    "soundfile", "soxr", "starlette", "websockets",
    # identities that the settings cannot choose, since a key is always sent
    "azure", "databricks", "jwt", "keyring",
    # in `required_packages`: refused with a sentence
    "cryptography", "google", "petals", "vllm", "transformers",
    # agents, local tools, documentation, retries of LiteLLM's own
    "deepagents", "langchain", "langchain_core", "langgraph", "numpydoc", "pkg_resources", "proto", "pypdf",
    "tenacity", "vertexai", "PIL",
}  # fmt: skip
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}]
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
AUDIO = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}
SCHEMA = {
    "type": "json_schema",
    "json_schema": {"name": "s", "schema": {"type": "object", "properties": {"a": {"type": "string"}}}},
}
REQUESTS: dict[str, dict[str, Any]] = {
    "tools": {"tools": TOOLS, "tool_choice": "auto"},
    "schema": {"response_format": SCHEMA},
    "parts": {"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}, IMAGE, AUDIO]}]},
    "reasoning": {"reasoning_effort": "low", "logprobs": True, "seed": 1, "stop": ["x"]},
}


@cache
def installed_for_dispatch() -> frozenset[str]:
    """The top-level modules that a dispatch worker has."""
    found: set[str] = set()
    waiting = [*ROOTS]
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in found:
            continue
        found.add(name)
        waiting += [requirement.name for requirement in _needs(name)]
    modules = packages_distributions()
    return frozenset(m for m, names in modules.items() if {canonicalize_name(n) for n in names} & found)


def _needs(name: str) -> Iterator[Requirement]:
    try:
        lines = requires(name) or []
    except PackageNotFoundError:
        return
    for requirement in map(Requirement, lines):
        extra = "dispatch" if name == "waybill" else ""
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
            yield requirement


def _imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module


def test_every_package_that_litellm_imports_is_installed_or_known() -> None:
    spec = find_spec("litellm")
    assert spec is not None
    assert spec.origin is not None
    root = Path(spec.origin).parent
    files = [
        file
        for file in root.rglob("*.py")
        if not any(file.relative_to(root).is_relative_to(folder) for folder in OUTSIDE)
    ]
    assert len(files) > 500
    imported = {name.partition(".")[0] for file in files for name in _imports(file)}
    missing = imported - set(sys.stdlib_module_names) - {"litellm"} - installed_for_dispatch()
    assert missing - KNOWN == set(), "a request may need it: lock it, or name it in required_packages"
    assert KNOWN - missing == set(), "no longer imported, or installed by now"


class _OnlyDispatch(importlib.abc.MetaPathFinder):
    """An import hook without the packages that a dispatch worker lacks."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: object = None) -> None:
        top = name.partition(".")[0]
        allowed = installed_for_dispatch() | {"litellm", "tasks", "tests", "router_core"}
        if path is None and top not in sys.stdlib_module_names and top not in allowed:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


@pytest.fixture
def only_dispatch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "meta_path", [_OnlyDispatch(), *sys.meta_path])


@pytest.mark.parametrize("name", REQUESTS)
def test_no_provider_of_litellm_lacks_a_package_for_a_request(only_dispatch: None, name: str) -> None:
    providers = sorted(getattr(one, "value", one) for one in import_litellm().provider_list)
    request = {"messages": [{"role": "user", "content": "x"}], "max_tokens": 9, **REQUESTS[name]}
    errors = asyncio.run(_errors([one for one in providers if missing_for(f"{one}/m") is None], request))
    missing = {
        provider for provider, error in errors.items() if isinstance(error, InternalError)
        and error.defect in ("ModuleNotFoundError", "ImportError", "NameError")
    }  # fmt: skip
    assert len(errors) > 80
    assert missing == set()


async def _errors(providers: list[str], request: dict[str, Any]) -> dict[str, ProviderError]:
    """Call each provider's adapter, and a server that refuses every request."""

    found: dict[str, ProviderError] = {}
    async with serving(answering({"error": {"message": "no"}}, status=400)) as base, opened() as provider:
        for name in providers:
            deployment = Deployment(
                "m", f"{name}/m", api_base=base, api_key=SecretStr("k"), timeout_s=10, transport="litellm"
            )
            outcome = await outcome_of(provider, deployment, request)
            if isinstance(outcome, ProviderError):
                found[name] = outcome
    return found


@pytest.mark.parametrize("model", ["openai/model", "openai/gpt-4o"])
def test_tools_need_no_package_and_arrive_as_they_are(transport: Transport, model: str) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    choices = [{"index": 0, "finish_reason": "tool_calls", "message": message}]
    served = serve(
        answering({"choices": choices}),
        {"messages": [{"role": "user", "content": "x"}], "tools": TOOLS},
        transport=transport,
        model=model,
    )
    assert served.message == message
    assert served.received[0]["tools"] == TOOLS


@pytest.mark.parametrize(
    ("model", "advice"),
    [
        ("vertex_ai/gemini-3-pro", "pip install google-auth"),
        ("vllm/llama", "hosted_vllm/"),
        ("aiohttp_openai/m", "openai/"),
        ("openai/gpt-4o", None),
        ("gpt-4o", None),
        ("bedrock/us.amazon.nova-lite-v1:0", None),
    ],
)
def test_what_is_missing_is_said_with_the_package_to_install(
    only_dispatch: None, model: str, advice: str | None
) -> None:
    reason = missing_for(model)
    assert reason is None if advice is None else advice in (reason or "")
