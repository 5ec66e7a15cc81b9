"""What a reply or an error costs, how often it is bought, and what of it the results show."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from sqlalchemy import select

from tasks.formats.results import ResultRecord
from tasks.providers import litellm_provider
from tasks.providers.interface import Transport
from tasks.store import results
from tasks.store.tables import attempt
from tests.support.dispatch_harness import DispatchHarness
from tests.support.scripted_server import USAGE, MakeScripted, RawReply

BROKEN = {"index": 0, "message": {"role": "assistant", "content": "half"}, "finish_reason": "error"}
TOO_LONG = "This model's maximum context length is 100 tokens. However, you requested 200"


def run(harness: DispatchHarness, **request: Any) -> tuple[ResultRecord, list[tuple[str, int, str | None]]]:
    """The result of a batch of one prompt, and its calls: state, cost, code."""
    batch_id = harness.submit([{"prompt": "p", "max_tokens": 1000, **request}])
    row = harness.run(batch_id)
    query = select(attempt.c.state, attempt.c.cost, attempt.c.error_code).where(
        attempt.c.batch_no == row["no"]
    )
    with harness.store.read() as connection:
        calls = list(connection.execute(query.order_by(attempt.c.number)))
    assert row["spent"] == sum(cost for _, cost, _ in calls)
    [record] = results.iter_results(harness.store, batch_id)
    return record, calls


def message_of(record: ResultRecord) -> dict[str, Any]:
    assert record.body is not None
    message: dict[str, Any] = record.body["choices"][0]["message"]
    return message


PAID = 20 * 1 + 10 * 2  # micro-dollars


def test_a_refusal_is_kept_and_paid_once(make_scripted: MakeScripted, transport: Transport) -> None:
    harness, server = make_scripted({"message": {"refusal": "I cannot."}}, transport=transport)
    record, calls = run(harness)
    assert calls == [("succeeded", PAID, None)]
    assert len(server.calls) == 1
    assert message_of(record)["refusal"] == "I cannot."
    assert "without_answer" not in record.waybill


def test_reasoning_alone_is_kept_and_paid_once_and_marked(
    make_scripted: MakeScripted, transport: Transport
) -> None:
    fields = {"message": {"reasoning_content": "a long thought"}, "finish_reason": "length"}
    harness, server = make_scripted(fields, transport=transport)
    record, calls = run(harness)
    assert calls == [("succeeded", PAID, None)]
    assert len(server.calls) == 1
    assert message_of(record)["reasoning_content"] == "a long thought"
    assert record.waybill["without_answer"] is True


def test_a_rate_limit_inside_a_success_is_waited_for_and_free(
    make_scripted: MakeScripted, transport: Transport
) -> None:
    slow = RawReply(200, {"error": {"message": "Rate limit exceeded", "code": 429}})
    harness, _ = make_scripted(slow, slow, "four", transport=transport)
    record, calls = run(harness)
    assert calls == [("failed", 0, "rate_limit"), ("failed", 0, "rate_limit"), ("succeeded", PAID, None)]
    assert message_of(record)["content"] == "four"


def test_half_a_text_is_paid_for_what_it_used_and_asked_again(
    make_scripted: MakeScripted, transport: Transport
) -> None:
    harness, _ = make_scripted(
        RawReply(200, {"choices": [BROKEN], "usage": USAGE}), "four", transport=transport
    )
    record, calls = run(harness)
    assert calls == [("failed", PAID, "server_error"), ("succeeded", PAID, None)]
    assert message_of(record)["content"] == "four"


def test_a_reply_that_holds_nothing_is_charged_for_what_it_used_and_asked_for_once_more(
    make_scripted: MakeScripted, transport: Transport
) -> None:
    harness, server = make_scripted({"message": {"content": None}}, "four", transport=transport)
    record, calls = run(harness)
    assert calls == [("failed", PAID, "garbage_reply"), ("succeeded", PAID, None)]
    assert len({model for model, _ in server.calls}) == 1
    assert message_of(record)["content"] == "four"


def test_a_prompt_that_is_too_long_by_its_message_goes_to_the_next_model(
    make_scripted: MakeScripted, transport: Transport
) -> None:
    body = {"error": {"message": TOO_LONG, "type": "BadRequestError", "param": None, "code": 400}}
    harness, server = make_scripted(RawReply(400, body), "four", transport=transport)
    record, calls = run(harness)
    assert calls == [("failed", 0, "context_window"), ("succeeded", PAID, None)]
    assert len({model for model, _ in server.calls}) == 2
    assert message_of(record)["content"] == "four"


@pytest.mark.parametrize("error", [ModuleNotFoundError("No module named 'canary'"), KeyError("canary")])
def test_an_error_of_our_own_before_the_wire_is_free_and_final(
    make_scripted: MakeScripted,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise error

    harness, server = make_scripted("four", transport="litellm")
    monkeypatch.setattr(litellm_provider, "litellm_arguments", broken)
    with caplog.at_level(logging.ERROR):
        batch_id = harness.submit([{"prompt": "p", "seed": n} for n in range(5)])
        row = harness.run(batch_id)
    assert server.calls == []
    assert (row["failed"], row["spent"]) == (5, 0)
    name = type(error).__name__
    records = list(results.iter_results(harness.store, batch_id))
    assert {(r.error_code, r.error_message) for r in records} == {
        ("internal_error", f"internal_error: {name}")
    }
    assert {r.waybill["attempts"] for r in records} == {1}
    logged = [one.getMessage() for one in caplog.records if name in one.getMessage()]
    assert len(logged) == 1
    assert "canary" not in caplog.text


def test_an_error_of_our_own_after_the_wire_is_charged_and_not_repeated(
    make_scripted: MakeScripted, monkeypatch: pytest.MonkeyPatch, transport: Transport
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("canary")

    monkeypatch.setattr("tasks.providers.replies.reading.read_usage", broken)
    harness, server = make_scripted("four", transport=transport)
    record, calls = run(harness)
    assert len(server.calls) == 1
    [(state, cost, code)] = calls
    assert (state, code) == ("failed", "internal_error")
    assert cost > PAID
    assert record.error_message == "internal_error: ZeroDivisionError"


def test_errors_of_our_own_open_no_circuit(
    make_scripted: MakeScripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken: list[bool] = [True] * 12
    whole = litellm_provider.litellm_arguments

    def sometimes(*arguments: Any) -> Any:
        if broken:
            broken.pop()
            raise KeyError("canary")
        return whole(*arguments)

    harness, _ = make_scripted("four", transport="litellm", breaker={"min_calls": 4, "open_s": 10_000})
    monkeypatch.setattr(litellm_provider, "litellm_arguments", sometimes)
    batch_id = harness.submit([{"prompt": "p", "seed": n} for n in range(20)])
    row = harness.run(batch_id)
    assert (row["failed"], row["succeeded"]) == (12, 8)
