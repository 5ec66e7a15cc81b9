"""The plan of a call depends on its content, not on its time."""

from dataclasses import replace

import pytest

from tests.support.comparisons import assert_fields
from workers.simulator import Fault, default_config
from workers.simulator.config import ModelProfile
from workers.simulator.errors import RefusedError
from workers.simulator.ledger import Ledger, PromptAttempt
from workers.simulator.plans import Plan, plan_call
from workers.simulator.requests import ChatRequest, count_tokens, json_object, messages_digest, parse_chat

MODEL = default_config().models[0]


def request(prompt: str, **body: object) -> ChatRequest:
    messages = [{"role": "user", "content": prompt}]
    return parse_chat({"model": MODEL.name, "messages": messages, **body})


def plan(
    prompt: str, *, model: ModelProfile = MODEL, attempt: int = 1, seed: int = 0, **body: object
) -> Plan:
    return plan_call(model, request(prompt, **body), PromptAttempt(attempt, attempt), seed=seed)


def test_the_same_call_goes_the_same_way_and_another_seed_another_way() -> None:
    assert plan("Summarise the harbour report") == plan("Summarise the harbour report")
    assert plan("Summarise the harbour report") != plan("Summarise the harbour report", seed=1)


def test_failures_come_as_often_as_configured_and_a_retry_can_succeed() -> None:
    flaky = replace(MODEL, failures={Fault.SERVER_ERROR: 0.2, Fault.HTML: 0.1})
    first = [plan(f"prompt {n}", model=flaky).fault for n in range(2000)]
    assert first.count(Fault.SERVER_ERROR) / 2000 == pytest.approx(0.2, abs=0.03)
    assert first.count(Fault.HTML) / 2000 == pytest.approx(0.1, abs=0.03)
    failed = [n for n, fault in enumerate(first) if fault]
    second = {plan(f"prompt {n}", model=flaky, attempt=2).fault for n in failed}
    assert None in second


def test_a_changed_failure_mix_leaves_the_answers_of_the_others_as_they_were() -> None:
    flaky = replace(MODEL, failures={Fault.SERVER_ERROR: 0.3})
    pairs = [(plan(f"prompt {n}"), plan(f"prompt {n}", model=flaky)) for n in range(50)]
    answered = [(sound, other) for sound, other in pairs if other.fault is None]
    assert 0 < len(answered) < len(pairs)
    assert [(sound, other) for sound, other in answered if sound != other] == []


def test_quality_follows_the_documented_strengths() -> None:
    good = [plan(f"Summarise report {n}").good for n in range(1000)]
    assert sum(good) / 1000 == pytest.approx(MODEL.strengths["summarization"], abs=0.04)


def test_an_answer_is_cut_at_max_tokens_and_says_so() -> None:
    cut = plan("Write a poem about otters", max_tokens=5)
    assert_fields(cut, completion_tokens=5, finish_reason="length")
    whole = plan("Write a poem about otters")
    assert whole.completion_tokens == count_tokens(whole.text) > 5
    assert whole.finish_reason == "stop"


def test_a_prompt_longer_than_the_context_window_is_refused() -> None:
    assert plan("word " * 100, model=replace(MODEL, context_window=50)).fault is Fault.CONTEXT_LENGTH


def test_a_directive_fails_the_first_attempts_only() -> None:
    faults = [plan("[[sim:status=503 times=2]] hello", attempt=n).fault for n in (1, 2, 3)]
    assert faults == [Fault.UNAVAILABLE, Fault.UNAVAILABLE, None]


def test_chance_goes_by_the_models_own_attempts_and_directives_by_all() -> None:
    ledger = Ledger()
    repeated = request("[[sim:status=503 times=1]] Describe the harbour")
    attempts = [ledger.next_attempt(name, repeated.digest) for name in ("sim-large", MODEL.name, MODEL.name)]
    assert attempts == [(1, 1), (2, 1), (3, 2)]
    first, moved, again = [plan_call(MODEL, repeated, attempt, seed=0) for attempt in attempts]
    assert (first.fault, moved.fault, again.fault) == (Fault.UNAVAILABLE, None, None)
    alone = plan_call(MODEL, repeated, PromptAttempt(9, 1), seed=0)
    assert moved == alone, "an earlier call of another model changes nothing"
    assert again.id != moved.id


def test_a_directive_can_single_out_a_model_and_set_the_latency() -> None:
    assert plan("[[sim:hang model=sim-large]]").fault is None
    assert plan("[[sim:hang model=sim-nano]]").fault is Fault.HANG
    assert plan("[[sim:latency=3000]]").latency_ms == 3000


def test_a_directive_stays_out_of_the_answer() -> None:
    assert "latency" not in plan("[[sim:latency=3000]] glaciers and harbours").text


@pytest.mark.parametrize("words", ["statsu=500", "status=777", "times=often"])
def test_a_mistyped_directive_is_refused_by_name(words: str) -> None:
    with pytest.raises(RefusedError, match=words):
        plan(f"[[sim:{words}]]")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{", "not JSON"),
        (b"[]", "JSON object"),
        (b'{"messages": [{}]}', "model"),
        (b'{"model": "m"}', "messages"),
        (b'{"model": "m", "messages": [{}], "stream": true}', "stream"),
        (b'{"model": "m", "messages": [{}], "max_tokens": 0}', "max_tokens"),
    ],
)
def test_a_request_without_what_it_needs_is_refused_with_the_reason(body: bytes, reason: str) -> None:
    with pytest.raises(RefusedError, match=reason):
        parse_chat(json_object(body))


def test_the_digest_depends_on_messages_and_not_on_the_order_of_their_keys() -> None:
    assert messages_digest([{"role": "user", "content": "é"}]) == messages_digest(
        [{"content": "é", "role": "user"}]
    )
    assert messages_digest([{"role": "user", "content": "a"}]) != messages_digest(
        [{"role": "user", "content": "b"}]
    )


def test_the_last_user_message_is_the_prompt_and_may_come_in_parts() -> None:
    parts = [{"type": "text", "text": "Write a haiku"}]
    messages = [
        {"role": "user", "content": "first"},
        {"role": "user", "content": parts},
        {"role": "assistant"},
    ]
    assert parse_chat({"model": "m", "messages": messages}).prompt == "Write a haiku"
