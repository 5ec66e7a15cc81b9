"""Batches through the official client: from the upload to the answers."""

from __future__ import annotations

import pytest
from openai import BadRequestError, ConflictError, OpenAI

from tests.support.api import await_end, chat_line, create_batch, lines_of
from tests.support.holding import Hold
from tests.support.stack import Stack
from tests.support.waiting import wait_until


def test_a_batch_is_answered_and_its_files_hold_every_line_once(openai: OpenAI) -> None:
    created = create_batch(openai, [chat_line(number) for number in range(20)], metadata={"project": "x"})
    assert (created.status, created.object, created.metadata) == ("validating", "batch", {"project": "x"})
    batch = await_end(openai, created.id)
    assert batch.status == "completed"
    assert batch.request_counts is not None
    assert batch.request_counts.model_dump() == {"total": 20, "completed": 20, "failed": 0}
    assert batch.error_file_id is None
    lines = lines_of(openai, batch.output_file_id)
    assert sorted(line["custom_id"] for line in lines) == sorted(f"line-{number}" for number in range(20))
    assert {line["response"]["status_code"] for line in lines} == {200}
    answers = [line["response"]["body"]["usage"] for line in lines]
    assert batch.usage is not None
    assert batch.usage.total_tokens == sum(usage["total_tokens"] for usage in answers)
    times = (batch.created_at, batch.in_progress_at, batch.finalizing_at, batch.completed_at)
    assert list(times) == sorted(time for time in times if time is not None)
    assert batch.expires_at == batch.created_at + 86_400
    assert (batch.failed_at, batch.expired_at, batch.cancelling_at, batch.cancelled_at) == (None,) * 4


def test_a_line_without_a_model_or_for_auto_is_routed(openai: OpenAI) -> None:
    lines = [chat_line(1, model=None), chat_line(2, model="auto"), chat_line(3, model="sim-coder")]
    batch = await_end(openai, create_batch(openai, lines).id)
    found = {line["custom_id"]: line["response"]["body"] for line in lines_of(openai, batch.output_file_id)}
    reasons = {name: body["waybill"]["reason"] for name, body in found.items()}
    assert reasons["line-3"] == "named_model"
    assert reasons["line-1"] == reasons["line-2"] != "named_model"


def test_one_bad_line_fails_the_batch_and_the_errors_name_it(openai: OpenAI) -> None:
    lines = [chat_line(1), "{not json", chat_line(1), chat_line(3, model="unknown")]
    batch = await_end(openai, create_batch(openai, lines).id)
    assert batch.status == "failed"
    assert batch.errors is not None
    assert batch.errors.data is not None
    found = [(error.line, error.code) for error in batch.errors.data]
    assert found == [(2, "invalid_json"), (3, "duplicate_custom_id"), (4, "unknown_model")]
    assert (batch.output_file_id, batch.error_file_id) == (None, None)
    assert batch.failed_at is not None


def test_with_waybill_partial_the_valid_lines_go_on(openai: OpenAI) -> None:
    lines = [chat_line(1), "{not json", chat_line(3)]
    created = create_batch(openai, lines, metadata={"waybill_partial": "true"})
    batch = await_end(openai, created.id)
    assert batch.status == "completed"
    assert batch.request_counts is not None
    assert batch.request_counts.model_dump() == {"total": 3, "completed": 2, "failed": 1}
    [error] = lines_of(openai, batch.error_file_id)
    assert (error["response"], error["error"]["code"], error["error"]["line"]) == (None, "invalid_json", 2)


def test_after_a_batch_without_a_valid_line_the_next_one_has_each_line_once(openai: OpenAI) -> None:
    refused = await_end(openai, create_batch(openai, ["{"] * 3, metadata={"waybill_partial": "true"}).id)
    assert refused.status == "failed"
    batch = await_end(openai, create_batch(openai, [chat_line(number) for number in range(5)]).id)
    lines = lines_of(openai, batch.output_file_id)
    assert sorted(line["custom_id"] for line in lines) == [f"line-{number}" for number in range(5)]


def test_a_line_for_another_endpoint_than_the_batch_s_is_refused(openai: OpenAI) -> None:
    batch = await_end(openai, create_batch(openai, [chat_line(1)], endpoint="/v1/embeddings").id)
    assert batch.errors is not None
    assert batch.errors.data is not None
    assert [(error.line, error.code) for error in batch.errors.data] == [(1, "url_mismatch")]


def test_failed_requests_are_in_the_error_file_with_their_status(openai: OpenAI) -> None:
    lines = [chat_line(1), chat_line(2, prompt="[[sim:error=400]] no")]
    batch = await_end(openai, create_batch(openai, lines).id)
    assert batch.request_counts is not None
    assert batch.request_counts.model_dump() == {"total": 2, "completed": 1, "failed": 1}
    [error] = lines_of(openai, batch.error_file_id)
    assert error["custom_id"] == "line-2"
    assert error["response"]["status_code"] == 400


@pytest.mark.parametrize(
    ("options", "param"),
    [
        ({"endpoint": "/v1/images"}, "endpoint"),
        ({"completion_window": "8d"}, "completion_window"),
        ({"completion_window": "soon"}, "completion_window"),
        ({"metadata": {"waybill_color": "red"}}, "metadata.waybill_color"),
        ({"metadata": {"waybill_budget_usd": "nan"}}, "metadata.waybill_budget_usd"),
        ({"metadata": {"waybill_policy": "best"}}, "metadata.waybill_policy"),
        ({"metadata": {"waybill_models": "unknown"}}, "metadata"),
        ({"metadata": {"waybill_priority": "high"}}, "metadata.waybill_priority"),
        ({"metadata": {str(n): "x" for n in range(17)}}, "metadata"),
        ({"metadata": {"x": "y" * 513}}, "metadata"),
        ({"output_expires_after": {"anchor": "created_at", "seconds": 5}}, "output_expires_after"),
    ],
)
def test_a_wrong_option_is_refused_and_named(openai: OpenAI, options: dict[str, object], param: str) -> None:
    with pytest.raises(BadRequestError) as refused:
        create_batch(openai, [chat_line(1)], **options)
    assert refused.value.param == param
    assert refused.value.type == "invalid_request_error"


def test_a_batch_is_cancelled_and_what_was_answered_is_kept(openai: OpenAI, stack: Stack) -> None:
    with Hold(stack.simulator.client) as hold:
        lines = [chat_line(number, prompt=f"{hold.marker} {number}") for number in range(400)]
        created = create_batch(openai, lines)
        hold.let_go(1)
        wait_until(lambda: openai.batches.retrieve(created.id).output_file_id, timeout_s=200)
        assert openai.batches.retrieve(created.id).status == "in_progress"
        assert openai.batches.cancel(created.id).status == "cancelling"
        hold.let_go()
        batch = await_end(openai, created.id)
    assert batch.status == "cancelled"
    assert (batch.completed_at, batch.failed_at) == (None, None)
    assert batch.cancelled_at is not None
    outputs, errors = lines_of(openai, batch.output_file_id), lines_of(openai, batch.error_file_id)
    assert len(outputs) > 0
    assert {line["custom_id"] for line in [*outputs, *errors]} == {f"line-{number}" for number in range(400)}
    assert "batch_cancelled" in {line["error"]["code"] for line in errors if line["error"]}
    assert openai.batches.cancel(created.id).status == "cancelled"


@pytest.mark.parametrize(("lines", "status"), [([chat_line(1)], "completed"), (["{"], "failed")])
def test_a_batch_that_has_ended_cannot_be_cancelled(openai: OpenAI, lines: list[str], status: str) -> None:
    batch = await_end(openai, create_batch(openai, lines).id)
    with pytest.raises(ConflictError, match=f"Cannot cancel a batch with status '{status}'"):
        openai.batches.cancel(batch.id)
    assert openai.batches.retrieve(batch.id) == batch


def test_batches_come_in_pages_the_newest_first(openai: OpenAI) -> None:
    ids = [create_batch(openai, [chat_line(number)]).id for number in range(5)]
    page = openai.batches.list(limit=2)
    assert ([batch.id for batch in page.data], page.has_more) == ([ids[4], ids[3]], True)
    assert [batch.id for batch in openai.batches.list(limit=2)] == ids[::-1]
    assert [batch.id for batch in openai.batches.list(after=ids[1])] == [ids[0]]


def test_models_are_listed_and_retrieved(openai: OpenAI) -> None:
    names = [model.id for model in openai.models.list()]
    assert names[0] == "auto"
    assert {"sim-nano", "sim-large"} <= set(names)
    assert openai.models.retrieve("sim-nano").id == "sim-nano"
