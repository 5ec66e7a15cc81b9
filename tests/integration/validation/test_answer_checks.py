"""Answers that do not fit what their requests demand, from the call to the results."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from tasks.formats.outputs.flat import flat_row
from tasks.formats.outputs.json_lines import openai_line
from tasks.providers.interface import Transport
from tasks.store import control
from tasks.store.tables import attempt
from tests.support.answer_checks import FIT, MISFIT, ask, records, text_of
from tests.support.comparisons import assert_batch, assert_fields
from tests.support.dispatch_harness import DispatchHarness
from tests.support.scripted_server import MakeScripted, ScriptedServer


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


def test_a_validator_of_the_batch_holds_for_every_answer(make_scripted: MakeScripted) -> None:
    harness, _ = make_scripted("maybe", "yes\n")
    batch_id = harness.submit(["p"], validators=["regex:^(yes|no)$"])
    assert_batch(harness.run(batch_id), succeeded=1, calls=2, invalid_answers=1)
    assert text_of(records(harness, batch_id)[0]) == "yes\n"


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
