"""What every provider's protocol has over plain HTTP: paths, keys, replies, usage and errors; no streams."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.dialects import DIALECTS, STATUSES, answer, ask, every_provider, post
from workers.simulator import Fault, SimulatorProcess


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
