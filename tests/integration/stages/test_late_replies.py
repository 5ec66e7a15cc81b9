"""A dispatcher whose store and Redis answer late: what it asked about may have changed meanwhile."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import exists, select, update

from tasks.store import batches, sweep
from tasks.store.engine import Store
from tasks.store.tables import chunk, request
from tests.support.dispatch_harness import DispatchHarness
from tests.support.invariants import check_batch
from tests.support.late_replies import make_replies_late
from workers.simulator import SimulatorProcess

MakeHarness = Callable[..., DispatchHarness]
CHEAPEST = "sim-nano"


@pytest.fixture
def make_harness(
    store: Store, redis_url: str, simulator: SimulatorProcess, monkeypatch: pytest.MonkeyPatch
) -> MakeHarness:
    simulator.client.reset()
    make_replies_late(monkeypatch)

    def make(*, at_once: int, **options: Any) -> DispatchHarness:
        dispatch, models = {"in_flight": at_once, "backoff_s": 0.02}, {CHEAPEST: {"max_concurrency": at_once}}
        return DispatchHarness(store, redis_url, simulator, dispatch=dispatch, models=models, **options)

    return make


def test_requests_that_wait_for_money_are_not_forgotten(
    make_harness: MakeHarness, simulator: SimulatorProcess
) -> None:
    harness = make_harness(at_once=300, breaker={"min_calls": 10_000})
    simulator.client.behave("*", failures={"server_error": 0.2, "no_usage": 0.1, "html": 0.1})
    batch_id = harness.submit([f"prompt {n}" for n in range(400)], budget=8_000)
    row = harness.run(batch_id)
    assert row["budget_stops"] > 0
    assert simulator.client.stats()["billed_micro_usd"] <= row["spent"] <= 8_000
    check_batch(harness.store, batch_id)


@pytest.mark.parametrize("failures", [{}, {"unavailable": 0.6}], ids=["healthy", "circuit opens"])
def test_requests_whose_leases_run_out_while_they_wait_are_not_forgotten(
    make_harness: MakeHarness, simulator: SimulatorProcess, failures: dict[str, float]
) -> None:
    harness = make_harness(at_once=8, breaker={"min_calls": 8, "open_s": 0.3, "open_cap_s": 0.5})
    simulator.client.behave(CHEAPEST, failures=failures)
    poor = harness.submit([f"prompt {n}" for n in range(64)], budget=2_500)
    rich = harness.submit([f"say {n}" for n in range(64)])

    def lose_leases_until_both_end(row: dict[str, Any]) -> bool:
        lose_a_lease(harness.store)
        return {row["status"], harness.row(rich)["status"]} <= set(batches.FINISHED)

    harness.run_until(lose_leases_until_both_end, poor, rich)
    spent = [check_batch(harness.store, one).spent for one in (poor, rich)]
    assert simulator.client.stats()["billed_micro_usd"] <= sum(spent)


def lose_a_lease(store: Store) -> None:
    """Let the lease of a chunk run out now and then, none of whose requests was in one that was lost."""
    if random.random() > 0.2:
        return
    lost_before = exists().where(request.c.chunk_id == chunk.c.id, request.c.losses > 0)
    with store.write() as connection:
        claimed = select(chunk.c.id).where(chunk.c.state == "claimed", ~lost_before)
        if chunk_ids := list(connection.execute(claimed).scalars()):
            mine = chunk.c.id == random.choice(chunk_ids)
            connection.execute(update(chunk).where(mine).values(lease_until=0))
    sweep.expire(store)
