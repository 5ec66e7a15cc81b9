"""Answers that do not fit what their requests demand, from the call to the results."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import select

from tasks.formats.outputs.flat import flat_row
from tasks.formats.outputs.json_lines import openai_line
from tasks.formats.results import ResultRecord
from tasks.providers.interface import Transport
from tasks.store import control, results
from tasks.store.tables import attempt
from tests.support.comparisons import assert_batch, assert_fields
from tests.support.dispatch_harness import DispatchHarness
from tests.support.scripted_server import MakeScripted, RawReply, ScriptedServer

SCHEMA = {
    "type": "object",
    "properties": {"age": {"type": "integer"}},
    "required": ["age"],
    "additionalProperties": False,
}
FORMAT = {"type": "json_schema", "json_schema": {"name": "person", "strict": True, "schema": SCHEMA}}
FIT, MISFIT = '{"age": 7}', '{"age": "seven"}'
TOOL = {
    "type": "function",
    "function": {"name": "look", "strict": True, "parameters": SCHEMA},
}


def call_of(name: str, arguments: str) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    call = {"id": "1", "type": "function", "function": function}
    return {"finish_reason": "tool_calls", "message": {"tool_calls": [call]}}


def ask(**parameters: Any) -> dict[str, Any]:
    return {"prompt": "p", "response_format": FORMAT, **parameters}


def records(harness: DispatchHarness, batch_id: str) -> list[ResultRecord]:
    return list(results.iter_results(harness.store, batch_id))


def text_of(record: ResultRecord) -> str | None:
    assert record.body is not None
    return record.body["choices"][0]["message"]["content"]


def ledger(harness: DispatchHarness, batch_id: str) -> list[tuple[str, str | None, bool]]:
    """The state and code of each call, and whether its answer is kept with it."""
    number = harness.row(batch_id)["no"]
    query = (
        select(attempt).where(attempt.c.batch_no == number).order_by(attempt.c.request_id, attempt.c.number)
    )
    with harness.store.read() as connection:
        rows = connection.execute(query).all()
    assert all(row.cost > 0 for row in rows)
    return [(row.state, row.error_code, row.answer is not None) for row in rows]


def models_called(server: ScriptedServer) -> list[str]:
    return [model for model, _ in server.calls]


GOOD = ("succeeded", None, False)
BAD = ("succeeded", "invalid_answer", True)


def test_an_answer_that_fits_is_paid_once_and_says_so(
    make_scripted: MakeScripted, transport: Transport
) -> None:
    harness, _ = make_scripted(FIT, transport=transport)
    batch_id = harness.submit([ask()])
    assert_batch(harness.run(batch_id), succeeded=1, calls=1, invalid_answers=0, repaired=0, asked_again=0)
    record = records(harness, batch_id)[0]
    assert text_of(record) == FIT
    assert record.waybill["valid"] is True


@pytest.mark.parametrize(
    ("wrapped", "removed"),
    [
        (f"```json\n{FIT}\n```", "fences"),
        (f"Of course:\n\n{FIT}\n\nAnything else?", "text"),
        (f"\ufeff{FIT}", "bom"),
    ],
)
def test_an_answer_wrapped_in_text_is_unwrapped_and_not_bought_again(
    make_scripted: MakeScripted, transport: Transport, wrapped: str, removed: str
) -> None:
    harness, _ = make_scripted(wrapped, transport=transport)
    batch_id = harness.submit([ask()])
    assert_batch(harness.run(batch_id), succeeded=1, calls=1, invalid_answers=0, repaired=1)
    record = records(harness, batch_id)[0]
    assert text_of(record) == FIT
    assert_fields(record.waybill, valid=True, repaired=[removed])


def test_the_same_model_is_asked_again_and_both_calls_are_ledgered(
    make_scripted: MakeScripted, transport: Transport
) -> None:
    harness, server = make_scripted(MISFIT, FIT, transport=transport)
    batch_id = harness.submit([ask()])
    row = harness.run(batch_id)
    assert_batch(row, succeeded=1, calls=2, invalid_answers=1, asked_again=1)
    assert ledger(harness, batch_id) == [BAD, GOOD]
    assert len(set(models_called(server))) == 1
    assert text_of(records(harness, batch_id)[0]) == FIT


def test_after_that_the_next_best_model_is_asked(make_scripted: MakeScripted) -> None:
    harness, server = make_scripted(MISFIT, "no", FIT)
    batch_id = harness.submit([ask()])
    assert_batch(harness.run(batch_id), succeeded=1, calls=3, invalid_answers=2, asked_again=2)
    first, second, third = models_called(server)
    assert first == second != third


def test_without_fallback_the_model_does_not_change(make_scripted: MakeScripted) -> None:
    harness, server = make_scripted(MISFIT)
    batch_id = harness.submit([ask()], fallback=False)
    assert_batch(harness.run(batch_id), failed=1, calls=2, asked_again=1)
    assert len(set(models_called(server))) == 1


def test_if_no_answer_fits_the_last_one_is_kept_beside_the_error(make_scripted: MakeScripted) -> None:
    harness, _ = make_scripted("first", MISFIT)
    batch_id = harness.submit([ask(), ask(prompt="p")])
    row = harness.run(batch_id)
    assert_batch(row, failed=2, calls=4, invalid_answers=4, asked_again=3)
    for record in records(harness, batch_id):
        line = openai_line(record)
        assert_fields(line["error"], code="invalid_answer")
        assert "#/age: type" in line["error"]["message"]
        assert "seven" not in line["error"]["message"]
        assert line["response"]["body"]["choices"][0]["message"]["content"] == MISFIT
        assert record.failed
        assert record.waybill["valid"] is False
        assert flat_row(record)["answer"] == MISFIT


def test_the_budget_holds_and_the_answer_that_was_paid_for_is_kept(make_scripted: MakeScripted) -> None:
    harness, server = make_scripted(MISFIT, FIT)
    one_call = harness.submit([ask()])
    reserved = reserved_for_a_call(harness, one_call)
    server.scripts["p"] = [MISFIT, FIT]
    batch_id = harness.submit([ask()], budget=reserved)
    row = harness.run(batch_id)
    assert_batch(row, failed=1, calls=1, invalid_answers=1, budget_stops=1)
    record = records(harness, batch_id)[0]
    assert record.error_code == "budget_exceeded"
    assert text_of(record) == MISFIT


def reserved_for_a_call(harness: DispatchHarness, batch_id: str) -> int:
    number = harness.run(batch_id)["no"]
    with harness.store.read() as connection:
        query = select(attempt.c.reserved).where(attempt.c.batch_no == number)
        return next(iter(connection.execute(query).scalars()))


def test_flag_keeps_the_answer_and_says_where_it_does_not_fit(make_scripted: MakeScripted) -> None:
    harness, _ = make_scripted(MISFIT)
    batch_id = harness.submit([ask(), ask()], validate="flag")
    assert_batch(harness.run(batch_id), succeeded=2, calls=1, invalid_answers=1, asked_again=0)
    assert ledger(harness, batch_id) == [("succeeded", "invalid_answer", False)]
    for record in records(harness, batch_id):
        assert text_of(record) == MISFIT
        assert_fields(record.waybill, valid=False, invalid="#/age: type")


def test_off_checks_nothing(make_scripted: MakeScripted) -> None:
    harness, _ = make_scripted(f"```\n{FIT}\n```")
    batch_id = harness.submit([ask()], validate="off", validators=["json"])
    assert_batch(harness.run(batch_id), succeeded=1, calls=1, repaired=0)
    record = records(harness, batch_id)[0]
    assert text_of(record) == f"```\n{FIT}\n```"
    assert "valid" not in record.waybill


def test_the_setting_decides_where_the_batch_does_not(make_scripted: MakeScripted) -> None:
    harness, _ = make_scripted(MISFIT, dispatch={"validate": "flag"})
    batch_id = harness.submit([ask()])
    assert_batch(harness.run(batch_id), succeeded=1, calls=1, invalid_answers=1)


def test_more_attempts_at_a_model_are_a_setting(make_scripted: MakeScripted) -> None:
    dispatch = {"validate_attempts": 5, "attempts_per_model": 4}
    harness, server = make_scripted("1", "2", "3", FIT, dispatch=dispatch)
    batch_id = harness.submit([ask()])
    assert_batch(harness.run(batch_id), succeeded=1, calls=4)
    assert len(set(models_called(server))) == 1


def test_an_answer_cut_at_the_token_limit_goes_to_the_next_model(
    make_scripted: MakeScripted, transport: Transport
) -> None:
    cut = {"message": {"content": '{"age": '}, "finish_reason": "length"}
    harness, server = make_scripted(cut, FIT, transport=transport)
    batch_id = harness.submit([ask(max_tokens=5)])
    assert_batch(harness.run(batch_id), succeeded=1, calls=2, invalid_answers=1)
    assert len(set(models_called(server))) == 2


def test_what_is_always_cut_fails_with_the_reason(make_scripted: MakeScripted) -> None:
    harness, _ = make_scripted({"message": {"content": '{"age": '}, "finish_reason": "length"})
    batch_id = harness.submit([ask(max_tokens=5)])
    assert_batch(harness.run(batch_id), failed=1, calls=2)
    assert "cut at the token limit" in (records(harness, batch_id)[0].error_message or "")


def test_a_refusal_is_kept_and_paid_once(make_scripted: MakeScripted) -> None:
    harness, _ = make_scripted({"message": {"refusal": "I cannot do that."}})
    batch_id = harness.submit([ask()])
    assert_batch(harness.run(batch_id), succeeded=1, calls=1, invalid_answers=0)
    assert_fields(records(harness, batch_id)[0].waybill, valid=False, invalid="refusal")


def test_strict_tools_are_held_to_their_parameters(make_scripted: MakeScripted, transport: Transport) -> None:
    bad, unknown, good = call_of("look", MISFIT), call_of("jump", FIT), call_of("look", FIT)
    harness, _ = make_scripted(bad, unknown, good, transport=transport)
    batch_id = harness.submit([{"prompt": "p", "tools": [TOOL]}])
    assert_batch(harness.run(batch_id), succeeded=1, calls=3, invalid_answers=2)


def test_tools_that_are_not_strict_are_left_alone(make_scripted: MakeScripted) -> None:
    loose = {"type": "function", "function": {"name": "look", "parameters": SCHEMA}}
    harness, _ = make_scripted(call_of("look", MISFIT))
    batch_id = harness.submit([{"prompt": "p", "tools": [loose]}])
    assert_batch(harness.run(batch_id), succeeded=1, calls=1, invalid_answers=0)


def test_a_validator_of_the_batch_holds_for_every_answer(make_scripted: MakeScripted) -> None:
    harness, _ = make_scripted("maybe", "yes\n")
    batch_id = harness.submit(["p"], validators=["regex:^(yes|no)$"])
    assert_batch(harness.run(batch_id), succeeded=1, calls=2, invalid_answers=1)
    assert text_of(records(harness, batch_id)[0]) == "yes\n"


def line(url: str, **body: Any) -> dict[str, Any]:
    return {"custom_id": "a", "method": "POST", "url": url, "body": body}


def response(text: str) -> RawReply:
    part = {"type": "output_text", "text": text, "annotations": []}
    message = {"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": [part]}
    usage = {"input_tokens": 20, "output_tokens": 10, "total_tokens": 30}
    fields = {"object": "response", "created_at": 1, "model": "m", "status": "completed", "usage": usage}
    return RawReply(200, {"id": "r", **fields, "output": [message], "error": None})


TEXT_FORMAT = {"format": {"type": "json_schema", "name": "person", "schema": SCHEMA}}


@pytest.mark.parametrize(
    ("first", "calls", "notes"),
    [(MISFIT, 2, {"valid": True}), (f"```json\n{FIT}\n```", 1, {"valid": True, "repaired": ["fences"]})],
)
def test_responses_are_held_to_their_text_format(
    make_scripted: MakeScripted, first: str, calls: int, notes: dict[str, Any]
) -> None:
    harness, _ = make_scripted(response(first), response(FIT))
    batch_id = harness.submit([line("/v1/responses", input="p", text=TEXT_FORMAT)])
    assert_batch(harness.run(batch_id), succeeded=1, calls=calls)
    (record,) = records(harness, batch_id)
    assert record.body is not None
    assert record.body["output"][0]["content"][0]["text"] == FIT
    assert_fields(record.waybill, **notes)
    assert flat_row(record)["answer"] == FIT


def test_a_response_that_does_not_fit_is_kept_in_its_own_shape(make_scripted: MakeScripted) -> None:
    harness, _ = make_scripted(response(MISFIT))
    batch_id = harness.submit([line("/v1/responses", input="p", text=TEXT_FORMAT)])
    assert_batch(harness.run(batch_id), failed=1, calls=4)
    (record,) = records(harness, batch_id)
    assert openai_line(record)["response"]["body"]["output"][0]["content"][0]["text"] == MISFIT
    assert flat_row(record)["answer"] == MISFIT


def test_validators_hold_for_completions(make_scripted: MakeScripted) -> None:
    def completion(text: str) -> RawReply:
        choice = {"index": 0, "text": text, "finish_reason": "stop"}
        usage = {"prompt_tokens": 20, "completion_tokens": 10, "total_tokens": 30}
        return RawReply(200, {"id": "c", "object": "text_completion", "choices": [choice], "usage": usage})

    harness, _ = make_scripted(completion("no"), completion("yes"))
    batch_id = harness.submit([line("/v1/completions", prompt="p")], validators=["regex:yes"])
    assert_batch(harness.run(batch_id), succeeded=1, calls=2, invalid_answers=1)


def test_a_schema_that_takes_forever_costs_no_answer(make_scripted: MakeScripted) -> None:
    twice = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(40)}
    schema = {"$defs": {**twice, "d40": {"type": "object"}}, "$ref": "#/$defs/d0"}
    harness, _ = make_scripted("{}")
    form = {"type": "json_schema", "json_schema": {"name": "slow", "schema": schema}}
    batch_id = harness.submit([ask(response_format=form)])
    assert_batch(harness.run(batch_id), succeeded=1, calls=1, invalid_answers=0)
    record = records(harness, batch_id)[0]
    assert record.waybill["unchecked"] == "could not be checked"
    assert "valid" not in record.waybill


def test_the_models_health_does_not_suffer(make_scripted: MakeScripted) -> None:
    harness, _ = make_scripted(MISFIT, breaker={"min_calls": 2, "open_s": 100, "open_cap_s": 100})
    batch_id = harness.submit([ask(user=str(n)) for n in range(12)], fallback=False)
    assert_batch(harness.run(batch_id), failed=12, calls=24)


def test_a_cancelled_batch_asks_nobody_again_and_keeps_what_it_has(make_scripted: MakeScripted) -> None:
    harness, _ = make_scripted(MISFIT, dispatch={"validate_attempts": 3})
    batch_id = harness.submit([ask()])

    def cancelled(row: dict[str, Any]) -> bool:
        if row["calls"] and row["status"] == "in_progress":
            with harness.store.write() as connection:
                control.cancel(connection, batch_id)
        return row["status"] in ("cancelled", "completed")

    harness.run(batch_id, until=cancelled)
    record = records(harness, batch_id)[0]
    assert record.error_code in ("batch_cancelled", "invalid_answer")
    assert text_of(record) == MISFIT


def test_retry_asks_again_and_a_fit_answer_takes_the_place_of_the_kept_one(
    make_scripted: MakeScripted,
) -> None:
    harness, server = make_scripted(MISFIT)
    batch_id = harness.submit([ask()])
    assert_batch(harness.run(batch_id), failed=1)
    server.scripts["p"] = [FIT]
    with harness.store.write() as connection:
        assert control.retry(connection, batch_id, budget=None) == 1
    assert_batch(harness.run(batch_id), succeeded=1, failed=0)
    assert text_of(records(harness, batch_id)[0]) == FIT


def test_a_schema_that_cannot_be_used_is_refused_with_its_line(make_scripted: MakeScripted) -> None:
    harness, _ = make_scripted(FIT)
    bad = {"type": "json_schema", "json_schema": {"name": "p", "schema": {"type": "nothing"}}}
    far = {
        "type": "json_schema",
        "json_schema": {"name": "p", "schema": {"$ref": "https://example.com/s.json"}},
    }
    batch_id = harness.submit([ask(), ask(response_format=bad), ask(response_format=far)])
    assert_batch(harness.run(batch_id), succeeded=1, invalid=2, calls=1)
    _, first, second = records(harness, batch_id)
    assert first.error_code == second.error_code == "invalid_schema"
    assert "#/type" in (first.error_message or "")
    assert "nothing is fetched" in (second.error_message or "")
    assert json.loads(json.dumps(openai_line(first)))["error"]["line"] == 2
