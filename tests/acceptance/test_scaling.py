"""A running batch while workers start, stop and freeze, keys are wrong, and the budget runs out."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import func, select

from tasks.store import control, paused_models
from tasks.store.tables import attempt, chunk, outcome, request
from tests.support.comparisons import assert_batch
from tests.support.holding import Hold
from tests.support.invariants import check_batch, check_bill
from tests.support.stack import Stack, WorkerProcess
from tests.support.waiting import wait_until
from workers.simulator import SimulatorClient, SimulatorProcess, default_config

SLOTS = 24
KEY = "TEST_CODER_KEY"
KEYS = {"right": {KEY: "sk-right"}, "wrong": {KEY: "sk-wrong"}}
MODELS = {
    "sim-coder": {"api_key_env": KEY},
    "sim-large": {"max_tokens": 32},
    "sim-writer": {"max_concurrency": SLOTS},
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack without a router, with two dispatch workers."""
    with (
        SimulatorProcess(default_config()) as simulator,
        Stack(tmp_path_factory.mktemp("scaling"), simulator=simulator, models=MODELS) as stack,
    ):
        stack.start("upkeep")
        stack.await_ready(
            stack.start("route"),
            *(stack.start("dispatch", environment=KEYS["wrong"]) for _ in range(2)),
        )
        yield stack


@pytest.fixture(autouse=True)
def provider(stack: Stack) -> SimulatorClient:
    """The provider with empty totals, back to its usual behaviour."""
    client = stack.simulator.client
    client.reset()
    return client


def asking(model: str, count: int) -> list[dict[str, Any]]:
    """Different requests that name their model."""
    return [
        {"id": f"{model}-{n}", "model": model, "prompt": f"{model}, say the number {n}"} for n in range(count)
    ]


def dispatchers(stack: Stack) -> list[WorkerProcess]:
    """The dispatch workers that run."""
    return [w for w in stack.workers if w.name.endswith("dispatch") and w.process.poll() is None]


def outcomes(stack: Stack, batch_id: str) -> dict[str, dict[str, Any]]:
    """Outcomes by custom id."""
    batch_no = stack.row(batch_id)["no"]
    query = select(outcome, request.c.custom_id).join(request, request.c.id == outcome.c.request_id)
    with stack.store.read() as connection:
        rows = connection.execute(query.where(outcome.c.batch_no == batch_no)).mappings().all()
    return {row["custom_id"]: dict(row) for row in rows}


def unsent(stack: Stack, worker: WorkerProcess) -> int:
    """Count the requests that the worker holds and has not sent."""
    query = (
        select(chunk.c.owner, func.count())
        .join(request, request.c.chunk_id == chunk.c.id)
        .where(chunk.c.state == "claimed", request.c.state == "held")
        .group_by(chunk.c.owner)
    )
    with stack.store.read() as connection:
        held = sum(number for owner, number in connection.execute(query) if worker.owns(owner))
    return held - stack.sent_by(worker)


def paused(stack: Stack) -> list[str]:
    """Return the models that are paused now."""
    with stack.store.read() as connection:
        return [row["model"] for row in paused_models.paused(connection)]


def models_called(stack: Stack, batch_id: str) -> dict[str, list[str]]:
    """The models that each request was sent to, in order."""
    batch_no = stack.row(batch_id)["no"]
    query = select(request.c.custom_id, attempt.c.model).join(request, request.c.id == attempt.c.request_id)
    called: dict[str, list[str]] = {}
    with stack.store.read() as connection:
        rows = query.where(attempt.c.batch_no == batch_no).order_by(attempt.c.request_id, attempt.c.number)
        for custom_id, model in connection.execute(rows):
            called.setdefault(custom_id, []).append(model)
    return called


def test_requests_that_name_a_model_are_answered_by_it_and_share_its_limit(
    stack: Stack, provider: SimulatorClient
) -> None:
    batch_id = stack.submit(asking("sim-writer", 150) + asking("sim-nano", 40))
    stack.wait(batch_id)
    totals = check_batch(stack.store, batch_id)
    check_bill(totals, provider, to_call=190)
    models = provider.stats()["models"]
    assert (models["sim-writer"]["billed"], models["sim-nano"]["billed"]) == (150, 40)
    # Two processes would have 64 in flight each.
    assert models["sim-writer"]["peak_in_flight"] <= SLOTS
    answered_by = {custom_id: row["model"] for custom_id, row in outcomes(stack, batch_id).items()}
    assert answered_by == {custom_id: custom_id.rpartition("-")[0] for custom_id in answered_by}


def test_requests_that_fail_on_their_model_go_to_the_next_best_one(
    stack: Stack, provider: SimulatorClient
) -> None:
    failing = [f"[[sim:status=500 model=sim-nano]] What is {n} plus {n}?" for n in range(6)]
    refused = [f"[[sim:content_policy model=sim-nano]] What is {n} times {n}?" for n in range(6)]
    batch_id = stack.submit(failing + refused)
    stack.wait(batch_id)
    totals = check_batch(stack.store, batch_id)
    check_bill(totals, provider, to_call=12)
    assert totals.outcomes == {"succeeded": 12}
    called = Counter(tuple(models) for models in models_called(stack, batch_id).values())
    # Without a router the ranking goes by price; a 500 is tried three times, a refusal once.
    assert called == {("sim-nano", "sim-nano", "sim-nano", "sim-coder"): 6, ("sim-nano", "sim-coder"): 6}
    assert {o["model"] for o in outcomes(stack, batch_id).values()} == {"sim-coder"}


def test_a_budget_that_is_too_small_stops_the_batch_and_is_never_passed(
    stack: Stack, provider: SimulatorClient
) -> None:
    budget = 20_000
    batch_id = stack.submit(asking("sim-large", 200), budget=budget)
    stack.wait(batch_id)
    totals = check_batch(stack.store, batch_id)
    check_bill(totals, provider, to_call=200)
    assert provider.stats()["billed_micro_usd"] <= budget
    by_end = Counter((o["status"], o["error_code"]) for o in outcomes(stack, batch_id).values())
    assert set(by_end) == {("succeeded", None), ("failed", "budget_exceeded")}
    assert_batch(totals.row, budget_stops=by_end["failed", "budget_exceeded"])
    # What is left would not have paid for another worst case.
    assert budget / 2 < totals.spent <= budget


def test_a_cancelled_batch_makes_no_new_calls_and_ends(stack: Stack, provider: SimulatorClient) -> None:
    with Hold(provider) as hold:
        hold.of_model("sim-writer")
        hold.let_go(10)
        batch_id = stack.submit(asking("sim-writer", 300))
        stack.wait(batch_id, until=lambda row: row["succeeded"] == 10)
        hold.await_calls(SLOTS)
        with stack.store.write() as connection:
            control.cancel(connection, batch_id)
        calls = stack.row(batch_id)["calls"]
    stack.wait(batch_id)
    totals = check_batch(stack.store, batch_id)
    check_bill(totals, provider, to_call=calls)
    assert_batch(totals.row, status="cancelled", calls=calls)
    assert calls < 300
    assert totals.outcomes["cancelled"] > 100
    assert totals.outcomes["succeeded"] == provider.stats()["billed"]


def test_a_worker_that_wakes_after_its_lease_changes_nothing(stack: Stack, provider: SimulatorClient) -> None:
    sleeper = dispatchers(stack)[0]
    try:
        with Hold(provider) as hold:
            hold.of_model("sim-nano")
            batch_id = stack.submit(asking("sim-nano", 300))
            in_flight = stack.freeze_at_work(sleeper, stack.sent_by)
            stack.expire_leases(sleeper)
        stack.wait(batch_id)
    finally:
        sleeper.signal(signal.SIGCONT)
    # Its calls were answered long ago: it settles them before it ends.
    assert sleeper.terminate() == 0
    totals = check_batch(stack.store, batch_id)
    check_bill(totals, provider, to_call=300, in_flight_at_kills=in_flight)
    assert totals.outcomes == {"succeeded": 300}
    assert totals.attempts == {"succeeded": 300, "unknown": in_flight}


def test_a_dispatch_worker_that_is_told_to_stop_finishes_its_calls_and_hands_back_the_rest(
    stack: Stack, provider: SimulatorClient
) -> None:
    leaving, *others = dispatchers(stack)
    assert [other.terminate() for other in others] == [0] * len(others), "they would do what is handed back"
    with Hold(provider) as hold:
        hold.of_model("sim-nano")
        hold.let_go(20)
        batch_id = stack.submit(asking("sim-nano", 1_200), group_size=32)
        stack.wait(batch_id, until=lambda row: row["succeeded"] > 0 and unsent(stack, leaving) > 0)
        leaving.process.terminate()
        # The ledger is ahead of the provider: a call that comes late would wait until the drain ends.
        wait_until(
            lambda: unsent(stack, leaving) == 0 and hold.calls == stack.sent_by(leaving) > 0, timeout_s=200
        )
        hold.let_go(hold.calls)
        assert leaving.process.wait(200) == 0
        assert stack.row(batch_id)["status"] == "in_progress", "the worker left in mid-batch"
        assert (stack.sent_by(leaving), stack.held_by(leaving)) == (0, 0)
        stack.await_ready(*(stack.start("dispatch", environment=KEYS["wrong"]) for _ in range(2)))
    stack.wait(batch_id)
    totals = check_batch(stack.store, batch_id)
    check_bill(totals, provider, to_call=1_200)
    assert totals.attempts == {"succeeded": 1_200}
    with stack.store.read() as connection:
        lost = select(request.c.losses).where(request.c.batch_no == totals.row["no"], request.c.losses > 0)
        assert connection.execute(lost).scalars().all() == []


def test_a_model_with_a_wrong_key_pauses_alone_and_goes_on_when_the_key_is_right(
    stack: Stack, provider: SimulatorClient
) -> None:
    provider.behave("sim-coder", api_key=KEYS["right"][KEY])
    batch_id = stack.submit(asking("sim-coder", 40) + asking("sim-nano", 80))
    # It is tried again between pauses, so it is not paused at every moment.
    stack.wait(batch_id, until=lambda row: row["succeeded"] == 80 and paused(stack) == ["sim-coder"])
    assert provider.stats()["models"]["sim-coder"]["billed"] == 0
    for worker in dispatchers(stack):
        worker.terminate()
    stack.await_ready(stack.start("dispatch", environment=KEYS["right"]))
    stack.wait(batch_id)
    totals = check_batch(stack.store, batch_id)
    check_bill(totals, provider, to_call=120)
    assert totals.outcomes == {"succeeded": 120}
    assert "unknown" not in totals.attempts
