"""What the open requests of a batch wait for: a failing model, another try, money, or a rate."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tasks.store import batches, paused_models, progress, reservations, steering
from tasks.store.batch_progress import Progress
from tasks.store.engine import Store
from tasks.store.health import model_errors, waits
from tasks.store.health.model_errors import FailedCalls
from tasks.store.health.waits import Wait, WaitRules
from tasks.store.values import Requeue
from tests.support import store_builders
from workers.views.health import health_lines

RULES = WaitRules(tries=10, pauses=20, pause_s=30, give_up_s=86_400, rpm={"small": 1})


def _state(store: Store, batch_no: int, rules: WaitRules | None = RULES) -> Progress:
    with store.read() as connection:
        return progress.snapshot(connection, batches.by_number(connection, batch_no)["id"], rules)


def _fail(store: Store, batch_no: int, code: str, detail: str) -> None:
    with store.write() as connection:
        model_errors.add(connection, [FailedCalls(batch_no, "small", code, 3, detail)])


def _sent_again_later(store: Store, lines: int = 3) -> int:
    """A batch whose calls have failed with 500, and whose requests are tried again in 100 s."""
    batch_no = store_builders.submit(store, store_builders.lines(lines))
    calls = store_builders.held(store, batch_no)
    store_builders.reserve(store, calls)
    store_builders.settle(store, calls, next=Requeue(100.0), cost=0)
    _fail(store, batch_no, "server_error", "server_error (500)")
    return batch_no


def _circuit_open(store: Store) -> None:
    with store.write() as connection:
        reason = f"{paused_models.CIRCUIT_OPEN}: 5 of 5 calls failed"
        paused_models.pause(connection, "small", reason=reason, seconds=100)


def test_requests_whose_calls_failed_say_the_error_the_next_try_and_the_end(
    store: Store,
) -> None:
    state = _state(store, _sent_again_later(store))
    [wait] = state.waits
    assert (wait.reason, wait.requests, wait.model, wait.code) == ("retry", 3, "small", "server_error")
    assert 0 < (wait.next_s or 0) <= 100
    line = next(one for one in health_lines(state) if "requests wait" in one)
    assert line.startswith("3 requests wait for small: its last call failed with server_error (500), tried ")
    assert line.endswith(
        f"given up after 10 tries at most; `waybill cancel {state.batch_id}` ends the batch with the answers "
        "so far"
    )


def test_requests_for_a_model_that_is_not_called_say_so_and_for_how_long_they_wait(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(3))
    _fail(store, batch_no, "server_error", "server_error (500)")
    _circuit_open(store)
    state = _state(store, batch_no)
    [wait] = state.waits
    assert (wait.reason, wait.requests, wait.code) == ("model", 3, "server_error")
    [line, *_] = [one for one in health_lines(state) if "circuit open" in one]
    assert "3 requests wait for small: circuit open: 5 of 5 calls failed, the last with server_error" in line
    assert "given up after 24 h in which every call failed" in line
    assert not any("is paused" in one for one in health_lines(state))


def test_what_a_key_holds_up_is_given_up_after_the_tries_that_are_left_for_the_operator(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(1))
    _fail(store, batch_no, "authentication", "authentication (401)")
    with store.write() as connection:
        paused_models.pause(connection, "small", reason="authentication (401)", seconds=30)
    [wait] = _state(store, batch_no).waits
    assert (wait.requests, wait.gives_up) == (1, "after 20 tries, 30 s apart")


def test_a_model_whose_pause_is_over_still_fails_until_a_probe_was_answered(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(2))
    with store.write() as connection:
        paused_models.pause(connection, "small", reason="circuit open: 5 of 5 calls failed", seconds=0)
    [wait] = _state(store, batch_no).waits
    assert (wait.reason, wait.next_s) == ("model", 0.0)
    with store.write() as connection:
        paused_models.resume(connection, "small")
    assert [one.reason for one in _state(store, batch_no).waits] == ["rate"]


def test_requests_that_wait_for_money_are_said_to(store: Store) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(5), budget=250)
    requests = store_builders.held(store, batch_no)
    store_builders.reserve(store, requests[:2])
    with store.write() as connection:
        calls = [store_builders.reservation(one) for one in requests[2:]]
        reservations.put_off(connection, batch_no, calls, owner="worker")
    state = _state(store, batch_no, None)
    assert state.waits == (Wait(reason="money", requests=3),)
    assert any(one.startswith("3 requests wait for money") for one in health_lines(state))


def test_what_a_rate_holds_up_is_said_without_advice_to_cancel(store: Store) -> None:
    state = _state(store, store_builders.submit(store, store_builders.lines(2)))
    assert [(one.reason, one.requests, one.detail) for one in state.waits] == [("rate", 2, "1 a minute")]
    [line] = [one for one in health_lines(state) if "rpm" in one]
    assert "cancel" not in line


def test_a_rate_beyond_what_is_counted_is_not_blamed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waits, "MOST", 1)
    assert _state(store, store_builders.submit(store, store_builders.lines(2))).waits == ()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.5, "0.5 s"), (90, "90 s"), (1000, "16.7 min"), (3600, "60 min"), (86_400, "24 h")],
)
def test_a_period_is_in_the_unit_that_people_use(seconds: float, words: str) -> None:
    assert waits._period(seconds) == words


def test_a_batch_that_is_paused_cancelled_or_has_ended_waits_for_nothing(store: Store) -> None:
    _circuit_open(store)
    batch_no = store_builders.submit(store, store_builders.lines(2))
    with store.write() as connection:
        steering.pause(connection, _state(store, batch_no).batch_id)
    assert _state(store, batch_no).waits == ()
    with store.write() as connection:
        steering.resume(connection, _state(store, batch_no).batch_id)
    assert _state(store, batch_no).waits
    store_builders.settle_all(store, batch_no, model="small")
    assert _state(store, batch_no).waits == ()


def test_of_many_requests_only_so_many_are_counted(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waits, "MOST", 2)
    _circuit_open(store)
    [wait] = _state(store, store_builders.submit(store, store_builders.lines(5))).waits
    assert wait.requests == 2


def test_another_batch_waits_for_itself_alone(store: Store) -> None:
    _sent_again_later(store)
    other = store_builders.submit(store, store_builders.lines(1))
    _fail(store, other, "server_error", "server_error (500)")
    assert _state(store, other, replace(RULES, rpm={})).waits == ()
