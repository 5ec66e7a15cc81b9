"""What calls fail with is counted by model and code while the batch runs, and said in the log."""

from __future__ import annotations

import logging

import pytest

from tasks.providers.errors import ErrorKind, ModelPausedError, RetryableError
from tasks.stages.dispatch.error_log import LOG_EVERY_S, ErrorLog
from tasks.stages.dispatch.repository import DispatchRepository
from tasks.store import progress
from tasks.store.batch_progress import Progress
from tasks.store.engine import Store
from tests.support.comparisons import assert_batch
from tests.support.dispatch_harness import DispatchHarness
from tests.support.ports import free_port
from workers.simulator import SimulatorProcess
from workers.worker.missing_keys import warn


def test_a_wrong_api_base_is_seen_although_another_model_answers_everything(
    store: Store, redis_url: str, simulator: SimulatorProcess, caplog: pytest.LogCaptureFixture
) -> None:
    simulator.client.reset()
    wrong = {"api_base": f"http://127.0.0.1:{free_port()}/v1"}
    harness = DispatchHarness(
        store,
        redis_url,
        simulator,
        models={"sim-nano": wrong},
        dispatch={"backoff_s": 0.01, "attempts_per_model": 2},
    )
    with caplog.at_level(logging.WARNING):
        batch = harness.submit([{"prompt": f"say {n}"} for n in range(8)])
        row = harness.run(batch)
    assert_batch(row, succeeded=8, failed=0)
    with store.read() as connection:
        [error] = progress.snapshot(connection, batch).errors
    model = harness.named("sim-nano")
    assert (error.model, error.code) == (model, "connection")
    assert error.calls == row["calls"] - 8 > 0
    logged = [one.getMessage() for one in caplog.records if "failed call" in one.getMessage()]
    assert logged[:1] == [f"{model}: 1 failed call, the last: connection"]


def test_a_model_and_a_code_are_logged_once_a_minute_with_what_was_not_logged_meanwhile(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    now = [0.0]
    errors = ErrorLog(DispatchRepository(store, "worker"), clock=lambda: now[0])
    for second in range(int(LOG_EVERY_S) + 1):
        now[0] = float(second)
        errors.note(1, "small", RetryableError(ErrorKind.CONNECTION))
    errors.note(1, "small", ModelPausedError(ErrorKind.AUTHENTICATION, status=401))
    assert [one.getMessage() for one in caplog.records if one.levelno == logging.WARNING] == [
        "small: 1 failed call, the last: connection",
        f"small: {int(LOG_EVERY_S)} failed calls, the last: connection",
        "small: 1 failed call, the last: authentication (401)",
    ]


def test_a_model_whose_key_is_not_set_here_is_named_and_never_called(
    store: Store,
    redis_url: str,
    simulator: SimulatorProcess,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.delenv("NOPE_KEY", raising=False)
    simulator.client.reset()
    harness = DispatchHarness(
        store,
        redis_url,
        simulator,
        models={"sim-nano": {"api_key_env": "NOPE_KEY"}},
        dispatch={"pause_s": 10_000, "in_flight": 8, "backoff_s": 0.05},
    )
    model = harness.named("sim-nano")
    batch = harness.submit([{"prompt": f"say {n}", "model": model} for n in range(60)])

    def state() -> Progress:
        with store.read() as connection:
            return progress.snapshot(connection, batch)

    row = harness.run(batch, until=lambda row: row["succeeded"] or (state().paused and state().errors))
    said = "$NOPE_KEY is not set in the dispatch worker's environment"
    assert_batch(row, failed=0, spent=0)
    [paused], [error] = state().paused, state().errors
    assert (paused.model, paused.reason) == (model, said)
    assert (error.code, error.detail) == ("missing_key", said)
    assert simulator.client.stats()["models"].get("sim-nano", {}).get("received", 0) == 0
    warn(harness.settings, [model])
    logged = [one.getMessage() for one in caplog.records]
    assert f"{model}: 1 failed call, the last: {said}" in logged
    assert f"{model} is not called: $NOPE_KEY is not set here" in logged
    monkeypatch.setenv("NOPE_KEY", "set-now")
    harness.forget("pause")
    assert_batch(harness.run(batch), succeeded=60, failed=0)
