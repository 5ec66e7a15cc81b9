"""2,000 prompts through every stage, on both databases; workers are killed and Redis emptied in mid-batch."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import func, select

from tasks.store.tables import decision
from tests.support.comparisons import assert_batch
from tests.support.holding import Hold
from tests.support.invariants import BatchTotals, check_batch, check_bill
from tests.support.stack import Stack, WorkerProcess
from tests.support.stores import PostgresServer
from workers.simulator import SimulatorConfig, SimulatorProcess, default_config, with_transient_failures

PROMPTS, DUPLICATES = 2_000, 100
#: dollars: about twice what the batch costs
BUDGET = 2_000_000
ROLES = ("teacher", "critic", "friend", "clerk", "poet")
KINDS = (
    "What is {n} plus {m}?",
    "Write a Python function that adds {n} to {m}.",
    "If {n} birds leave at {m}, who is first?",
    "Summarize: {n} ships met {m} ships.",
    "A poem about {n} cats and {m} dogs.",
)


def provider_config() -> SimulatorConfig:
    """The usual models, failing one call in twenty in passing: 429, 500, 502, 503."""
    return replace(with_transient_failures(default_config(), 0.05), latency_scale=0.5)


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def stack(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, router: Path
) -> Iterator[Stack]:
    """One embed, one route and two dispatch workers."""
    url = None
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        url = server.empty_database()
    # These prompts are unlike the labelled ones: the guard would send all to one model.
    settings = {"router": {"path": str(router), "shift": "none"}, "dispatch": {"attempts_per_model": 4}}
    home = tmp_path_factory.mktemp(request.param)
    with (
        SimulatorProcess(provider_config()) as simulator,
        Stack(home, simulator=simulator, store_url=url, settings=settings) as stack,
    ):
        stack.start("upkeep")
        # It dies at its next claim once the file is gone.
        latch(stack).touch()
        deadly = {"WAYBILL_FAILPOINT": f"after_claim:group:1*:{latch(stack)}"}
        route = stack.start("route", environment=deadly)
        stack.await_ready(route, *(stack.start(role) for role in ("embed", "dispatch", "dispatch")))
        yield stack


def latch(stack: Stack) -> Path:
    return stack.home / "latch"


def prompts() -> list[object]:
    """Short and mixed; one in twenty is there twice.

    Five requests ask the same thing in different roles: each is called, but its vector is computed once.
    """
    random = Random(1)
    texts = [KINDS[n % len(KINDS)].format(n=n, m=n + 7) for n in range((PROMPTS - DUPLICATES) // len(ROLES))]
    requests: list[object] = [asked(role, text) for text in texts for role in ROLES]
    requests += random.sample(requests, DUPLICATES)
    random.shuffle(requests)
    return requests


def asked(role: str, text: str) -> dict[str, object]:
    return {
        "messages": [{"role": "system", "content": f"You are a {role}."}, {"role": "user", "content": text}]
    }


def submit_held(stack: Stack) -> tuple[str, Hold]:
    """Submit the prompts: 200 calls are answered, and the next ones held."""
    stack.simulator.client.reset()
    hold = Hold(stack.simulator.client)
    hold.of_model("*")
    hold.let_go(200)
    return stack.submit(prompts(), budget=BUDGET), hold


def worker_of(stack: Stack, role: str) -> WorkerProcess:
    """One that runs."""
    return next(w for w in stack.workers if w.name.endswith(role) and w.process.poll() is None)


def check_all(stack: Stack, batch_id: str, *, in_flight_at_kills: int) -> BatchTotals:
    totals = check_batch(stack.store, batch_id)
    check_bill(
        totals,
        stack.simulator.client,
        to_call=PROMPTS - DUPLICATES,
        in_flight_at_kills=in_flight_at_kills,
    )
    assert_batch(totals.row, status="completed", total=PROMPTS, duplicates=DUPLICATES)
    assert totals.outcomes == {"succeeded": PROMPTS}
    return totals


def test_killed_workers_lose_nothing_and_cost_no_more_than_their_calls_in_flight(
    stack: Stack, tmp_path: Path
) -> None:
    latch(stack).unlink()
    batch_id, hold = submit_held(stack)
    with hold:
        worker_of(stack, "route").process.wait(200)
        stack.expire_leases()
        stack.start("route")
        stack.wait(batch_id, until=lambda row: row["succeeded"] > 100)
        in_flight = stack.kill_at_work(worker_of(stack, "dispatch"), stack.sent_by)
        assert stack.row(batch_id)["succeeded"] < PROMPTS / 2, "it was killed in mid-batch"
        stack.start("dispatch")
    stack.wait(batch_id)

    totals = check_all(stack, batch_id, in_flight_at_kills=in_flight)
    # Fewer, if a COMMIT of settlements was on its way to PostgreSQL when the worker was stopped.
    assert totals.attempts.get("unknown", 0) <= in_flight
    assert totals.attempts["failed"] > 0, "the provider failed now and then"
    check_decisions(stack, totals)
    check_results(stack, batch_id, tmp_path)


def test_redis_coming_back_empty_in_mid_batch_stops_nothing(stack: Stack) -> None:
    batch_id, hold = submit_held(stack)
    with hold:
        stack.wait(batch_id, until=lambda row: row["succeeded"] > 100)
        stack.redis.restart_empty()
        assert stack.row(batch_id)["succeeded"] < PROMPTS / 2, "it was emptied in mid-batch"
    stack.wait(batch_id)

    totals = check_all(stack, batch_id, in_flight_at_kills=0)
    assert "unknown" not in totals.attempts
    # The same prompts as before: their vectors were on disk, and stayed there.
    assert_batch(totals.row, cache_hits=totals.row["embedded"])


def check_decisions(stack: Stack, totals: BatchTotals) -> None:
    """Each request but the duplicates was decided once, by the trained router, and not all alike."""
    mine = decision.c.batch_no == totals.row["no"]
    with stack.store.read() as connection:
        count, versions, models = connection.execute(
            select(
                func.count(),
                func.count(decision.c.router_version),
                func.count(func.distinct(decision.c.model)),
            ).where(mine)
        ).one()
    assert count == versions == PROMPTS - DUPLICATES
    assert models > 1


def check_results(stack: Stack, batch_id: str, folder: Path) -> None:
    """The results file has one line for each request, with an answer in it."""
    output = folder / "results.jsonl"
    assert stack.run("results", batch_id, "-o", str(output)).process.wait(400) == 0
    lines = [json.loads(line) for line in output.read_text().splitlines()]
    assert len({line["custom_id"] for line in lines}) == len(lines) == PROMPTS
    texts = {
        line["custom_id"]: line["response"]["body"]["choices"][0]["message"]["content"] for line in lines
    }
    assert [custom_id for custom_id, text in texts.items() if not text] == []
