"""A batch gets its share beside others, whatever they do: `make faults`; on SQLite by default, too."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.comparisons import assert_batch
from tests.support.stack import Stack
from tests.support.stores import PostgresServer
from workers.simulator import SimulatorProcess

#: ten calls a second
MODEL, RPM = "sim-nano", 600
STORES = ("sqlite",) if os.environ.get("FAULTS", "quick") == "quick" else ("sqlite", "postgresql")


@pytest.fixture(params=STORES)
def stack(request: pytest.FixtureRequest, tmp_path: Path, simulator: SimulatorProcess) -> Iterator[Stack]:
    """Upkeep, route and two dispatch workers."""
    url = None
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        url = server.database()
    simulator.client.reset()
    models = {MODEL: {"rpm": RPM, "timeout_s": 60}}
    settings = {"dispatch": {"in_flight": 256}}
    with Stack(tmp_path, simulator=simulator, store_url=url, models=models, settings=settings) as opened:
        workers = [opened.start(role) for role in ("upkeep", "dispatch", "dispatch")]
        opened.await_ready(*workers[1:])
        yield opened


def prompts(number: int, word: str) -> list[object]:
    return [{"prompt": f"{word} {n}", "model": MODEL} for n in range(number)]


def seconds_of(stack: Stack, batch_id: str) -> float:
    began = time.monotonic()
    stack.wait(batch_id)
    return time.monotonic() - began


@pytest.mark.timeout(240)
def test_a_batch_of_20_behind_one_of_2400_waits_for_its_share_of_the_rate_only(stack: Stack) -> None:
    """It takes 2 s alone, and its share is half of the rate; first come, first served took two minutes."""
    large = stack.submit(prompts(2400, "say"))
    stack.wait(large, lambda row: row["succeeded"] >= 20)
    small = stack.submit(prompts(20, "tell"))
    seconds = seconds_of(stack, small)
    print(f"20 requests behind 2,400 at 10/s: {seconds:.1f} s")
    assert_batch(stack.row(small), succeeded=20)
    assert stack.row(large)["succeeded"] < 300, "the large batch got more than its share"
    assert seconds < 15


@pytest.mark.timeout(240)
def test_a_batch_whose_money_is_tied_up_in_calls_that_hang_holds_up_no_other(stack: Stack) -> None:
    """60 requests at 10/s take 6 s; beside 600 that waited for money in the workers they took minutes."""
    one, *hanging = prompts(604, "[[sim:hang]]")
    worst = stack.wait(stack.submit([one], budget=10_000), lambda row: row["reserved"] > 0)["reserved"]
    # All hang: any three of them, whichever worker is first, take all the money.
    broke = stack.submit(hanging, budget=3 * worst)
    stack.wait(broke, lambda row: row["calls"] >= 3)
    other = stack.submit(prompts(60, "tell"))
    seconds = seconds_of(stack, other)
    print(f"60 requests beside 603 whose money is tied up: {seconds:.1f} s")
    assert_batch(stack.row(other), succeeded=60)
    assert_batch(stack.row(broke), status="in_progress")
    assert seconds < 15
