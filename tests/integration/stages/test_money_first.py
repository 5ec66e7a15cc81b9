"""A batch without money takes no permits, and holds up no other batch."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.exc import OperationalError

from tasks.stages.dispatch import call
from tasks.stages.dispatch.repository import DispatchRepository
from tasks.stages.dispatch.request_queue import RequestQueue
from tasks.store import chunk_requests
from tasks.store.engine import Store
from tasks.store.tables import batch, chunk
from tasks.store.values import HeldRequest, ReservationRequest, ReservationResult, Room
from tests.support.comparisons import assert_batch
from tests.support.dispatch_harness import DispatchHarness
from tests.support.holding import Hold
from workers.simulator import SimulatorProcess

MakeHarness = Callable[..., DispatchHarness]
MODEL = "sim-nano"
#: ten requests a second
RPM = 600


@pytest.fixture
def make_harness(store: Store, redis_url: str, simulator: SimulatorProcess) -> MakeHarness:
    simulator.client.reset()
    return lambda **model: DispatchHarness(store, redis_url, simulator, models={MODEL: model})


def test_requests_over_their_cap_use_nothing_of_the_rate(make_harness: MakeHarness) -> None:
    harness = make_harness(rpm=1)  # for 600 permits it would run for ten hours
    model = harness.named(MODEL)
    broke = harness.submit([{"prompt": f"say {n}", "model": model} for n in range(600)], budget=1)
    assert_batch(harness.run(broke), failed=600, budget_stops=600, calls=0, spent=0)


def test_a_batch_whose_money_is_tied_up_does_not_hold_up_another(
    make_harness: MakeHarness, simulator: SimulatorProcess
) -> None:
    harness = make_harness(rpm=RPM, timeout_s=600)
    model = harness.named(MODEL)
    with Hold(simulator.client) as hold:
        held = [{"prompt": f"{hold.marker} {n:03d}", "model": model} for n in range(603)]
        tied_up = harness.submit(held, budget=1)
        set_budget(harness, tied_up, calls=3)
        other = harness.submit([{"prompt": f"tell {n}", "model": model} for n in range(30)])
        row = harness.run_together(other, tied_up, then=hold.let_go)
    assert_batch(row, succeeded=30)
    assert_batch(harness.row(tied_up), calls=3)


def test_calls_whose_reservation_is_in_doubt_are_made_with_the_money_that_they_have(
    make_harness: MakeHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reply to the COMMIT is lost; then another request comes, and the budget has nothing left for it."""
    harness, reserve = make_harness(), DispatchRepository.reserve
    model = harness.named(MODEL)
    batch_id = harness.submit([{"prompt": f"say {n}", "model": model} for n in range(17)], budget=1)
    set_budget(harness, batch_id, calls=16)
    set_state(harness, "queued", "held back", size=1)

    def without_reply(
        repository: DispatchRepository, batch_no: int, calls: Sequence[ReservationRequest]
    ) -> ReservationResult:
        monkeypatch.setattr(DispatchRepository, "reserve", reserve)
        assert len(reserve(repository, batch_no, calls).granted) == 16
        set_state(harness, "held back", "queued", size=1)
        raise OperationalError("COMMIT", None, Exception("the reply was lost"))

    monkeypatch.setattr(DispatchRepository, "reserve", without_reply)
    assert_batch(harness.run(batch_id), succeeded=17, calls=17)


def test_a_store_that_cannot_take_what_waits_is_asked_again_only_now_and_then(
    make_harness: MakeHarness, simulator: SimulatorProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []

    def full(*_: object) -> ReservationResult:
        asked.append(time.monotonic())
        raise OperationalError("UPDATE", None, Exception("the disk is full"))

    harness = make_harness()
    model = harness.named(MODEL)
    with Hold(simulator.client) as hold, monkeypatch.context() as patch:
        items = [{"prompt": f"{hold.marker} {n}", "model": model} for n in range(2)]
        batch_id = harness.submit(items, budget=1)
        set_budget(harness, batch_id, calls=1)
        patch.setattr(DispatchRepository, "put_off", full)
        harness.run(batch_id, until=lambda _: len(asked) >= 3 and not hold.let_go())
    assert all(later - earlier > 0.5 for earlier, later in pairwise(asked))


def test_requests_that_are_claimed_again_while_they_are_put_off_are_called(
    make_harness: MakeHarness, simulator: SimulatorProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Money comes back at once, and this process holds them in a new chunk before it hears that they wait."""
    harness, put_off, add = make_harness(), DispatchRepository.put_off, RequestQueue.add
    model, added = harness.named(MODEL), threading.Event()

    def add_and_tell(queue: RequestQueue, requests: Sequence[HeldRequest]) -> list[HeldRequest]:
        stale = add(queue, requests)
        added.set()
        return stale

    def answered_late(
        repository: DispatchRepository, batch_no: int, calls: Sequence[ReservationRequest]
    ) -> ReservationResult:
        result = put_off(repository, batch_no, calls)
        if result.waiting and not added.is_set():
            monkeypatch.setattr(RequestQueue, "add", add_and_tell)
            set_budget(harness, batch_id, calls=2)
            assert added.wait(60)
        return result

    with Hold(simulator.client) as hold:
        items = [{"prompt": f"{hold.marker} {n}", "model": model} for n in range(2)]
        batch_id = harness.submit(items, budget=1)
        set_budget(harness, batch_id, calls=1)
        monkeypatch.setattr(DispatchRepository, "put_off", answered_late)
        harness.run(batch_id, until=lambda _: hold.calls == 2 and not hold.let_go(), timeout_s=90)
    assert added.is_set()
    assert_batch(harness.run(batch_id), succeeded=2, calls=2)


def test_requests_are_not_refused_for_a_budget_that_was_raised_meanwhile(
    make_harness: MakeHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness, room = make_harness(), DispatchRepository.room
    batch_id = harness.submit([{"prompt": "say it", "model": harness.named(MODEL)}], budget=1)

    def raised_after(repository: DispatchRepository, batch_no: int) -> Room:
        found = room(repository, batch_no)
        set_budget(harness, batch_id, calls=1)
        return found

    monkeypatch.setattr(DispatchRepository, "room", raised_after)
    assert_batch(harness.run(batch_id), succeeded=1, budget_stops=0)


def set_budget(harness: DispatchHarness, batch_id: str, *, calls: int) -> None:
    """Give the batch what the worst cases of so many calls of its first request cost."""
    with harness.store.write() as connection:
        batch_no = harness.row(batch_id)["no"]
        first = connection.execute(
            select(func.min(chunk.c.id)).where(chunk.c.batch_no == batch_no)
        ).scalar_one()
        one = chunk_requests.requests_of(connection, first)[0]
        worst = call.reservation_for(one, harness.settings.model(harness.named(MODEL))).worst
        connection.execute(update(batch).where(batch.c.no == batch_no).values(budget=calls * worst))


def set_state(harness: DispatchHarness, before: str, after: str, *, size: int) -> None:
    """Change the state of the chunks of this size."""
    with harness.store.write() as connection:
        mine = (chunk.c.state == before) & (chunk.c.size == size)
        assert connection.execute(update(chunk).where(mine).values(state=after)).rowcount == 1
