"""Model health: circuits, pauses and fallback models, with a real store, Redis and HTTP."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import select

from tasks.providers.interface import Transport
from tasks.store import control, progress
from tasks.store.batch_progress import PausedModel
from tasks.store.engine import Store
from tasks.store.tables import outcome
from tests.support.comparisons import assert_batch
from tests.support.dispatch_harness import DispatchHarness
from tests.support.holding import Hold
from tests.support.stores import new_sqlite
from workers.simulator import SimulatorProcess

MakeHarness = Callable[..., DispatchHarness]
#: opens as soon as eight calls have failed, for longer than any test
BREAKER = {"min_calls": 8, "open_s": 10_000, "open_cap_s": 10_000}
CHEAPEST, NEXT = "sim-nano", "sim-coder"


@pytest.fixture
def make_harness(tmp_path: Any, redis_url: str, simulator: SimulatorProcess) -> Iterator[MakeHarness]:
    store = Store(new_sqlite(tmp_path / "waybill.db"))
    simulator.client.reset()
    yield lambda **options: DispatchHarness(store, redis_url, simulator, **{"breaker": BREAKER, **options})
    simulator.client.reset()
    store.close()


def _outcomes(harness: DispatchHarness, batch_id: str) -> list[tuple[str, str | None, str | None]]:
    query = select(outcome.c.status, outcome.c.error_code, outcome.c.error_message)
    with harness.store.read() as connection:
        mine = query.where(outcome.c.batch_no == harness.row(batch_id)["no"])
        return list(connection.execute(mine))


def _paused(harness: DispatchHarness, batch_id: str) -> tuple[PausedModel, ...]:
    with harness.store.read() as connection:
        return progress.snapshot(connection, batch_id).paused


def _later(seconds: float) -> Callable[[object], bool]:
    until = time.monotonic() + seconds
    return lambda _: time.monotonic() > until


def _calls(simulator: SimulatorProcess, model: str) -> int:
    return int(simulator.client.stats()["models"][model]["received"])


def test_while_a_circuit_is_open_the_next_best_takes_over(
    make_harness: MakeHarness, simulator: SimulatorProcess, transport: Transport
) -> None:
    harness = make_harness(dispatch={"in_flight": 16, "backoff_s": 0.05}, transport=transport)
    simulator.client.behave(CHEAPEST, failures={"unavailable": 1.0})
    row = harness.run(harness.submit([f"prompt {n}" for n in range(120)]))
    assert_batch(row, succeeded=120)
    assert harness.models(row["id"]) == {NEXT: 120}
    # Only what was in flight before it opened: not three calls of each request.
    assert _calls(simulator, CHEAPEST) <= 60


def test_without_fallback_requests_wait_and_burn_no_attempts(
    make_harness: MakeHarness, simulator: SimulatorProcess
) -> None:
    harness = make_harness(dispatch={"in_flight": 16, "backoff_s": 0.05})
    simulator.client.behave(CHEAPEST, failures={"unavailable": 1.0})
    batch_id = harness.submit([f"prompt {n}" for n in range(120)], fallback=False)
    harness.run(batch_id, until=lambda _: bool(_paused(harness, batch_id)))
    [paused] = _paused(harness, batch_id)
    assert paused.reason.startswith("circuit open: ")
    harness.run(batch_id, until=_later(0.5))
    assert _calls(simulator, CHEAPEST) <= 60
    simulator.client.behave(CHEAPEST, failures={})
    harness.forget("open")
    row = harness.run(batch_id)
    assert_batch(row, succeeded=120)
    assert harness.models(batch_id) == {CHEAPEST: 120}
    assert _paused(harness, batch_id) == ()


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("unauthorized", "authentication (401"),
        ("payment_required", "payment_required (402"),
    ],
)
def test_a_model_whose_key_or_credit_is_refused_rests_alone_until_it_is_mended(
    make_harness: MakeHarness, simulator: SimulatorProcess, transport: Transport, fault: str, reason: str
) -> None:
    harness = make_harness(
        dispatch={"in_flight": 8, "backoff_s": 0.05, "pause_s": 10_000}, transport=transport
    )
    simulator.client.behave(CHEAPEST, failures={fault: 1.0})
    items = [{"prompt": f"prompt {n}", "model": harness.named((CHEAPEST, NEXT)[n % 2])} for n in range(60)]
    batch_id = harness.submit(items)
    row = harness.run(batch_id, until=lambda row: row["succeeded"] == 30)
    assert_batch(row, failed=0)
    [paused] = _paused(harness, batch_id)
    assert paused.model == harness.named(CHEAPEST)
    assert paused.reason.startswith(reason)  # LiteLLM does not pass on every provider's code
    assert _calls(simulator, CHEAPEST) <= 16  # what was in flight when it was refused
    simulator.client.behave(CHEAPEST, failures={})
    harness.forget("pause")
    row = harness.run(batch_id)
    assert_batch(row, succeeded=60, failed=0)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("context_length", "context_window (400"),
        ("content_policy", "content_policy (400"),
    ],
)
def test_what_one_model_cannot_take_goes_to_the_next_one_or_fails_with_the_reason(
    make_harness: MakeHarness, simulator: SimulatorProcess, transport: Transport, fault: str, reason: str
) -> None:
    harness = make_harness(transport=transport)
    here, everywhere = f"[[sim:{fault} model={CHEAPEST}]]", f"[[sim:{fault}]]"
    batch_id = harness.submit([f"{here} one", f"{here} two", f"{everywhere} three", "four"])
    row = harness.run(batch_id)
    assert_batch(row, succeeded=3, failed=1, calls=7)
    assert harness.models(batch_id) == {NEXT: 2, CHEAPEST: 1}
    code = reason.partition(" ")[0]
    [(found_code, message)] = [row[1:] for row in _outcomes(harness, batch_id) if row[0] == "failed"]
    assert found_code == code
    assert str(message).startswith(reason)


def test_requests_that_fail_again_and_again_open_no_circuit_of_their_own(
    make_harness: MakeHarness, simulator: SimulatorProcess
) -> None:
    """With a circuit that stays open for hours the end of this batch would take days."""
    harness = make_harness(
        dispatch={"in_flight": 32, "backoff_s": 0.01, "max_models": 1}, breaker={**BREAKER, "window_s": 300}
    )
    harness.run(harness.submit([f"say {n}" for n in range(40)]))
    batch_id = harness.submit([f"[[sim:server_error]] {n}" for n in range(5)])
    # After 50 failures of the model's 90 calls.
    assert_batch(harness.run(batch_id), failed=5)
    assert harness.attempts(batch_id) == harness.settings.dispatch.attempts_last_model == 10
    assert _paused(harness, batch_id) == ()


@pytest.mark.parametrize("fault", ["html", "server_error", "forbidden", "unauthorized"])
def test_requests_that_always_fail_do_not_keep_another_batch_from_their_model(
    make_harness: MakeHarness, simulator: SimulatorProcess, fault: str
) -> None:
    """Twelve open the circuit, or put the model on hold, for hours; 20 others are answered at once."""
    harness = make_harness(
        dispatch={"in_flight": 8, "backoff_s": 0.02, "pause_s": 10_000, "max_models": 1}, transport="direct"
    )
    bad = harness.submit([f"[[sim:{fault}]] {n}" for n in range(12)])
    harness.run(bad, until=lambda _: bool(_paused(harness, bad)))
    good = harness.submit([f"say {n}" for n in range(20)])
    assert_batch(harness.run_together(good, bad), succeeded=20, calls=20)
    assert _paused(harness, bad) == ()
    ended = harness.run(bad) if fault in ("html", "server_error") else harness.row(bad)
    assert ended["succeeded"] == 0


def test_three_bad_requests_open_no_circuit(
    make_harness: MakeHarness, simulator: SimulatorProcess, transport: Transport
) -> None:
    harness = make_harness(
        dispatch={"backoff_s": 0.02, "max_models": 1},
        breaker={**BREAKER, "min_calls": 4},
        transport=transport,
    )
    bad = harness.submit([f"[[sim:html]] {n}" for n in range(3)])
    assert_batch(harness.run(bad), failed=3, calls=6)
    assert _paused(harness, bad) == ()


@pytest.mark.parametrize("fault", ["forbidden", "unauthorized"])
def test_a_prompt_that_is_refused_alone_ends_while_the_others_go_on(
    make_harness: MakeHarness, simulator: SimulatorProcess, transport: Transport, fault: str
) -> None:
    harness = make_harness(
        dispatch={"backoff_s": 0.05, "pause_s": 10_000, "max_models": 1, "in_flight": 4}, transport=transport
    )
    prompts = [f"say {n}" for n in range(40)]
    prompts[20] = f"[[sim:{fault}]] one"
    batch_id = harness.submit(prompts)
    row = harness.run(batch_id)
    assert_batch(row, succeeded=39, failed=1, calls=41)
    assert _paused(harness, batch_id) == ()


def test_a_permission_that_the_model_lacks_is_shown_after_two_requests(
    make_harness: MakeHarness, simulator: SimulatorProcess, transport: Transport
) -> None:
    harness = make_harness(dispatch={"in_flight": 2, "pause_s": 10_000}, transport=transport)
    simulator.client.behave(CHEAPEST, failures={"forbidden": 1.0})
    batch_id = harness.submit([f"prompt {n}" for n in range(30)])
    harness.run(batch_id, until=lambda _: bool(_paused(harness, batch_id)))
    [paused] = _paused(harness, batch_id)
    assert paused.reason.startswith("permission_denied (403")
    assert _calls(simulator, CHEAPEST) <= 4
    simulator.client.behave(CHEAPEST, failures={})
    harness.forget("pause")
    assert_batch(harness.run(batch_id), succeeded=30, failed=0)


def test_probes_are_taken_from_requests_that_were_never_sent(
    make_harness: MakeHarness, simulator: SimulatorProcess
) -> None:
    breaker = {"min_calls": 8, "open_s": 0.5, "open_cap_s": 10_000}
    harness = make_harness(dispatch={"in_flight": 8, "backoff_s": 0.02, "max_models": 1}, breaker=breaker)
    items = [f"[[sim:html]] {n}" for n in range(8)] + [f"say {n}" for n in range(60)]
    # The first probe is a good one: each that fails would double the time that the circuit stays open.
    assert_batch(harness.run(harness.submit(items)), succeeded=60, failed=8)


def test_requests_of_a_model_that_nobody_reaches_end_after_the_set_time_and_can_be_retried(
    make_harness: MakeHarness, simulator: SimulatorProcess
) -> None:
    breaker = {"min_calls": 8, "open_s": 0.2, "open_cap_s": 0.4, "give_up_s": 1.0}
    harness = make_harness(dispatch={"in_flight": 16, "backoff_s": 0.01}, breaker=breaker)
    simulator.client.behave(CHEAPEST, failures={"unavailable": 1.0})
    items = [{"prompt": f"prompt {n}", "model": harness.named((CHEAPEST, NEXT)[n % 2])} for n in range(120)]
    batch_id = harness.submit(items)
    row = harness.run(batch_id)
    assert_batch(row, succeeded=60, failed=60)
    failures = [row for row in _outcomes(harness, batch_id) if row[0] == "failed"]
    codes = Counter(code for _, code, _ in failures)
    assert set(codes) <= {"unreachable", "server_error"}
    assert codes["unreachable"] > 10
    simulator.client.behave(CHEAPEST, failures={})
    harness.forget("open")
    with harness.store.write() as connection:
        control.retry(connection, batch_id, budget=None)
    assert_batch(harness.run(batch_id), succeeded=120)


def test_a_429_without_a_header_slows_the_model_down_for_everybody(
    make_harness: MakeHarness, simulator: SimulatorProcess
) -> None:
    harness = make_harness(dispatch={"backoff_s": 0.2, "max_models": 1})
    simulator.client.behave(CHEAPEST, rpm=600)
    batch_id = harness.submit([f"prompt {n}" for n in range(30)])
    assert_batch(harness.run(batch_id), succeeded=30)


def test_300_calls_in_flight_and_their_retries_stay_below_the_cap(
    make_harness: MakeHarness, simulator: SimulatorProcess
) -> None:
    harness = make_harness(
        dispatch={"in_flight": 300, "backoff_s": 0.02},
        models={CHEAPEST: {"max_concurrency": 300}},
        breaker={"min_calls": 10_000},
    )
    simulator.client.behave("*", failures={"server_error": 0.2, "no_usage": 0.1, "html": 0.1})
    with Hold(simulator.client) as hold:
        hold.of_model("*")
        batch_id = harness.submit([f"prompt {n}" for n in range(600)], budget=12_000)
        busy = harness.run(batch_id, until=lambda _: hold.calls >= 300 and not hold.let_go())
    assert busy["spent"] < 12_000
    row = harness.run(batch_id)
    assert row["budget_stops"] > 0
    assert simulator.client.stats()["billed_micro_usd"] <= row["spent"] <= 12_000
    assert_batch(row, reserved=0)
