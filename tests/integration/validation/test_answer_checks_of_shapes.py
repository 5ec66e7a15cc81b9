"""Calls of tools, responses and completions are held to what their requests demand."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.formats.outputs.flat import flat_row
from tasks.formats.outputs.json_lines import openai_line
from tasks.providers.interface import Transport
from tests.support.answer_checks import FIT, MISFIT, SCHEMA, records
from tests.support.comparisons import assert_batch, assert_fields
from tests.support.scripted_server import MakeScripted, RawReply

TOOL = {
    "type": "function",
    "function": {"name": "look", "strict": True, "parameters": SCHEMA},
}


def call_of(name: str, arguments: str) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    call = {"id": "1", "type": "function", "function": function}
    return {"finish_reason": "tool_calls", "message": {"tool_calls": [call]}}


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
