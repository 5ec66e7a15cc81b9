"""A batch gets its share beside others, whatever they do: `make faults`; on SQLite by default, too."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from tasks.store.tables import attempt
from tests.support.comparisons import assert_batch
from tests.support.holding import Hold
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
    models = {MODEL: {"rpm": RPM}}
    settings = {"dispatch": {"in_flight": 256}}
    with Stack(tmp_path, simulator=simulator, store_url=url, models=models, settings=settings) as opened:
        workers = [opened.start(role) for role in ("upkeep", "dispatch", "dispatch")]
        opened.await_ready(*workers[1:])
        yield opened


def prompts(number: int, word: str) -> list[object]:
    return [{"prompt": f"{word} {n}", "model": MODEL} for n in range(number)]


def calls_beside(stack: Stack, batch_id: str, other: str) -> int:
    """Count the other batch's calls between this batch's submission and its last call."""
    mine, others = (stack.row(one) for one in (batch_id, other))
    last = select(func.max(attempt.c.sent_at)).where(attempt.c.batch_no == mine["no"]).scalar_subquery()
    between = attempt.c.sent_at.between(mine["created_at"], last)
    query = select(func.count()).where(attempt.c.batch_no == others["no"], between)
    with stack.store.read() as connection:
        return connection.execute(query).scalar_one()


def test_a_batch_of_20_behind_one_of_2400_waits_for_its_share_of_the_rate_only(stack: Stack) -> None:
    """Its share is half of the rate; first come, first served made it wait for all the others."""
    large = stack.submit(prompts(2400, "say"))
    stack.wait(large, lambda row: row["succeeded"] >= 20)
    small = stack.submit(prompts(20, "tell"))
    assert_batch(stack.wait(small), succeeded=20)
    beside = calls_beside(stack, small, large)
    print(f"20 requests behind 2,400: {beside} calls of the others meanwhile")
    assert beside < 600, "the large batch got more than its share"


def test_a_batch_whose_money_is_tied_up_in_calls_that_hang_holds_up_no_other(stack: Stack) -> None:
    """Beside 600 that wait for money in the workers, 60 requests waited until those calls were given up."""
    with Hold(stack.simulator.client) as hold:
        one, *hanging = prompts(604, hold.marker)
        worst = stack.wait(stack.submit([one], budget=10_000), lambda row: row["reserved"] > 0)["reserved"]
        # All hang: any three of them, whichever worker is first, take all the money.
        broke = stack.submit(hanging, budget=3 * worst)
        stack.wait(broke, lambda row: row["calls"] >= 3)
        other = stack.submit(prompts(60, "tell"))
        assert_batch(stack.wait(other), succeeded=60)
        assert_batch(stack.row(broke), status="in_progress", calls=3)
