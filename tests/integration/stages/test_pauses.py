"""A batch that is paused makes no call until it goes on, and takes no permits from others."""

from __future__ import annotations

from tasks.store import steering
from tasks.store.engine import Store
from tests.support.comparisons import assert_batch
from tests.support.dispatch_harness import DispatchHarness
from workers.simulator import SimulatorProcess

MODEL = "sim-nano"


def test_a_paused_batch_makes_no_call_and_holds_up_no_other(
    store: Store, redis_url: str, simulator: SimulatorProcess
) -> None:
    simulator.client.reset()
    harness = DispatchHarness(store, redis_url, simulator, models={MODEL: {"rpm": 1200}})
    model = harness.named(MODEL)
    paused = harness.submit([{"prompt": f"say {n}", "model": model} for n in range(100)])
    harness.run(paused, until=lambda row: row["calls"] >= 5)
    with store.write() as connection:
        steering.pause(connection, paused)
    calls = harness.row(paused)["calls"]
    other = harness.submit([{"prompt": f"tell {n}", "model": model} for n in range(20)])
    assert_batch(harness.run_together(other, paused), succeeded=20)
    assert_batch(harness.row(paused), status="in_progress", calls=calls, reserved=0)
    with store.write() as connection:
        steering.resume(connection, paused)
    assert_batch(harness.run(paused), status="completed", succeeded=100, calls=100)
