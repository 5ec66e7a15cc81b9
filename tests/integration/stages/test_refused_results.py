"""A result whose values the store refuses ends by itself: it holds up no other, and its call is paid once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from tasks.stages.dispatch.caller import Caller
from tasks.stages.dispatch.settlement_writer import SettlementWriter
from tasks.store.engine import Store
from tasks.store.tables import attempt, outcome
from tasks.store.unlocked import folding
from tasks.store.values import Requeue, Settlement
from tests.support import store_builders
from tests.support.comparisons import assert_batch
from tests.support.invariants import check_batch
from tests.support.scripted_server import MakeScripted, RawReply

PLAUSIBLE = {"prompt_tokens": 20, "completion_tokens": 10, "total_tokens": 30}
#: no column of integers holds it
HUGE = 10**30
#: half of a surrogate pair has no form in UTF-8
UNENCODABLE = '{"text":"\ud83d"}'


def reply(**usage: Any) -> RawReply:
    message = {"role": "assistant", "content": "yes"}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    return RawReply(200, {"object": "chat.completion", "choices": [choice], "usage": {**PLAUSIBLE, **usage}})


@pytest.mark.parametrize(
    "usage",
    [{"cost_in_usd_ticks": 1e300}, {"cost": 1e300}, {"estimated_cost": "1e300"}, {"prompt_tokens": HUGE}],
    ids=str,
)
def test_an_absurd_bill_is_not_believed(make_scripted: MakeScripted, usage: dict[str, Any]) -> None:
    harness, server = make_scripted(reply(**usage))
    row = harness.run(harness.submit([{"prompt": "p"}]), timeout_s=60)
    assert_batch(row, succeeded=1, failed=0)
    assert len(server.calls) == 1


def write(store: Store, settlements: Sequence[Settlement]) -> list[Settlement]:
    """Write settlements as a dispatcher does; returns those that were written, in their order."""
    written: list[Settlement] = []

    async def run() -> None:
        writer = SettlementWriter(store, "worker", written.append)
        for one in settlements:
            writer.add(one)
        loop = asyncio.create_task(writer.run())
        await asyncio.wait_for(writer.idle(), 60)
        loop.cancel()

    asyncio.run(run())
    folding.fold_all(store)
    return written


def called(store: Store, count: int) -> tuple[int, list[Settlement]]:
    """Return a batch whose requests are called, and the settlements of their answers."""
    batch_no = store_builders.submit(store, store_builders.lines(count))
    requests = store_builders.held(store, batch_no)
    store_builders.reserve(store, requests)
    return batch_no, [store_builders.settlement(one) for one in requests]


def test_figures_that_no_column_holds_are_left_out_and_the_answer_is_kept(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    batch_no, settlements = called(store, 3)
    settlements[1] = replace(settlements[1], latency_ms=HUGE)
    write(store, settlements)
    assert store_builders.outcomes(store, batch_no) == dict.fromkeys((1, 2, 3), "succeeded")
    assert store_builders.attempts(store, batch_no, 1) == [("succeeded", 30)]
    assert store_builders.attempts(store, batch_no, 2) == [("succeeded", 100)]  # all that was reserved
    assert f"the store refused a result of batch {batch_no}: " in caplog.text
    check_batch(store, store_builders.row(store, batch_no)["id"])


def test_an_answer_that_the_store_cannot_hold_fails_alone_with_its_reason(store: Store) -> None:
    batch_no, settlements = called(store, 3)
    answer = replace(store_builders.ANSWER, body=UNENCODABLE)
    written = write(store, [replace(settlements[0], next=answer), *settlements[1:]])
    assert store_builders.outcomes(store, batch_no) == {1: "failed", 2: "succeeded", 3: "succeeded"}
    assert store_builders.attempts(store, batch_no, 1) == [("failed", 100)]
    assert [one.error_code for one in written] == ["internal_error", None, None]
    with store.read() as connection:
        found = connection.execute(select(outcome.c.error_message).where(outcome.c.status == "failed"))
        assert found.scalar_one().startswith("the store refused its result: ")
    check_batch(store, store_builders.row(store, batch_no)["id"])


def test_a_request_without_a_call_that_cannot_be_written_ends_as_well(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(2))
    one, other = store_builders.held(store, batch_no)
    too_late = store_builders.without_call(one, Requeue(float(HUGE)))
    write(store, [too_late, store_builders.without_call(other, store_builders.ANSWER)])
    assert store_builders.outcomes(store, batch_no) == {1: "failed", 2: "succeeded"}
    with store.read() as connection:
        assert connection.execute(select(attempt)).all() == []


def test_a_call_whose_failure_cannot_be_judged_ends_its_request(
    make_scripted: MakeScripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object, **__: object) -> Settlement:
        raise TypeError("a defect of ours")

    monkeypatch.setattr(Caller, "_failure", broken)
    harness, server = make_scripted(RawReply(500, {}))
    row = harness.run(harness.submit([{"prompt": "p"}]), timeout_s=60)
    assert_batch(row, succeeded=0, failed=1)
    assert len(server.calls) == 1
