"""The circuit breakers in a real Redis and in memory follow the same rules."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from tasks.limits import (
    BreakerRules,
    Circuit,
    CircuitTransition,
    Limits,
    Origin,
    RedisLimiter,
    Refusal,
)
from tasks.limits.interface import PROBE_POLL_S, REFUSALS_OF_PROMPTS, REFUSALS_WHILE_ANSWERING
from tests.support.comparisons import assert_fields
from tests.support.limiters import TimedLimiter, TimedMemoryLimiter, TimedRedisLimiter

RULES = BreakerRules(
    window_s=5_000, min_calls=4, failure_rate=0.5, open_s=200, open_cap_s=500, max_operator_holds=2
)
NONE = Limits()

#: of calls, which no test waits for
LEASE_S = 30_000.0

Scenario = Callable[[TimedLimiter, str], Awaitable[None]]
RunScenario = Callable[[Scenario], None]


@pytest.fixture(params=["redis", "memory"])
def run_scenario(request: pytest.FixtureRequest, redis_url: str) -> RunScenario:
    """Runs a scenario on each limiter, with a model of its own."""

    async def on_redis(scenario: Scenario) -> None:
        async with Redis.from_url(redis_url) as client:
            await scenario(TimedRedisLimiter(client, RULES), f"model-{uuid4().hex}")

    async def in_memory(scenario: Scenario) -> None:
        await scenario(TimedMemoryLimiter(RULES), "model")

    run = on_redis if request.param == "redis" else in_memory
    return lambda scenario: asyncio.run(run(scenario))


async def call(limiter: TimedLimiter, model: str, healthy: bool | None) -> CircuitTransition | None:
    """Make one call, from its permit to its release."""
    grant = await limiter.acquire(model, NONE, [1], lease_s=LEASE_S)
    assert len(grant.slot_ids) == 1, grant
    return await limiter.release(model, grant.slot_ids, healthy=healthy)


async def trip(limiter: TimedLimiter, model: str) -> None:
    transitions = [await call(limiter, model, False) for _ in range(RULES.min_calls)]
    assert transitions[-1] is not None


def test_a_circuit_opens_at_the_failure_rate_and_not_before_enough_calls(run_scenario: RunScenario) -> None:
    async def scenario(limiter: TimedLimiter, model: str) -> None:
        assert [await call(limiter, model, good) for good in (True, False, False)] == [None] * 3
        assert await call(limiter, model, False) == CircuitTransition(RULES.open_s, failures=3, calls=4)
        grant = await limiter.acquire(model, NONE, [1], lease_s=LEASE_S)
        assert_fields(grant, slot_ids=(), circuit=Circuit.OPEN)
        assert 0 < grant.wait_s <= RULES.open_s
        assert await limiter.not_closed([model, "other"]) == {model}

    run_scenario(scenario)


def test_calls_that_are_released_together_count_one_by_one(run_scenario: RunScenario) -> None:
    async def scenario(limiter: TimedLimiter, model: str) -> None:
        grant = await limiter.acquire(model, NONE, [1] * 9, lease_s=LEASE_S)
        assert await limiter.release(model, grant.slot_ids[:5], healthy=True) is None
        assert await limiter.release(model, grant.slot_ids[5:8], healthy=False) is None
        transition = await limiter.release(model, grant.slot_ids[8:], healthy=False)
        assert transition is None  # 4 of 9
        grant = await limiter.acquire(model, NONE, [1, 1], lease_s=LEASE_S)
        assert await limiter.release(model, grant.slot_ids, healthy=False) == CircuitTransition(
            RULES.open_s, 6, 11
        )

    run_scenario(scenario)


def test_failures_below_the_rate_and_calls_of_unknown_health_leave_it_closed(
    run_scenario: RunScenario,
) -> None:
    async def scenario(limiter: TimedLimiter, model: str) -> None:
        for good in [True, True, False] * 10 + [None] * 10:
            assert await call(limiter, model, good) is None
        assert (await limiter.acquire(model, NONE, [1], lease_s=LEASE_S)).circuit is Circuit.CLOSED

    run_scenario(scenario)


def test_half_open_allows_one_probe_whose_success_closes_it(run_scenario: RunScenario) -> None:
    async def scenario(limiter: TimedLimiter, model: str) -> None:
        await trip(limiter, model)
        await limiter.pass_time(RULES.open_s + 1)
        probe = await limiter.acquire(model, NONE, [1, 1, 1], lease_s=LEASE_S)
        assert (len(probe.slot_ids), probe.circuit) == (1, Circuit.HALF_OPEN)
        second = await limiter.acquire(model, NONE, [1], lease_s=LEASE_S)
        assert_fields(second, slot_ids=(), circuit=Circuit.HALF_OPEN)
        assert second.wait_s > 0
        assert await limiter.release(model, probe.slot_ids, healthy=True) == CircuitTransition()
        assert await limiter.not_closed([model]) == set()
        free = await limiter.acquire(model, NONE, [1, 1], lease_s=LEASE_S)
        assert (len(free.slot_ids), free.circuit) == (2, Circuit.CLOSED)

    run_scenario(scenario)


def test_a_failed_probe_opens_it_for_twice_as_long_up_to_the_cap(run_scenario: RunScenario) -> None:
    async def scenario(limiter: TimedLimiter, model: str) -> None:
        await trip(limiter, model)
        for longer in (400, 500):
            await limiter.pass_time((await limiter.acquire(model, NONE, [1], lease_s=LEASE_S)).wait_s + 1)
            assert await call(limiter, model, False) == CircuitTransition(longer, 1, 1)

    run_scenario(scenario)


def test_only_the_probe_decides_not_calls_that_began_before(run_scenario: RunScenario) -> None:
    async def scenario(limiter: TimedLimiter, model: str) -> None:
        old = await limiter.acquire(model, NONE, [1, 1], lease_s=LEASE_S)
        await trip(limiter, model)
        assert await limiter.release(model, old.slot_ids[:1], healthy=True) is None
        await limiter.pass_time(RULES.open_s + 1)
        assert await limiter.release(model, old.slot_ids[1:], healthy=True) is None
        assert await limiter.not_closed([model]) == {model}

    run_scenario(scenario)


def test_a_probe_that_is_renewed_stays_the_only_one(run_scenario: RunScenario) -> None:
    async def scenario(limiter: TimedLimiter, model: str) -> None:
        await trip(limiter, model)
        await limiter.pass_time(RULES.open_s + 1)
        probe = await limiter.acquire(model, NONE, [1], lease_s=100)
        await limiter.renew(model, probe.slot_ids, lease_s=LEASE_S)
        await limiter.pass_time(101)
        assert not (await limiter.acquire(model, NONE, [1], lease_s=LEASE_S)).slot_ids
        assert await limiter.release(model, probe.slot_ids, healthy=True) == CircuitTransition()

    run_scenario(scenario)


def test_a_probe_that_was_not_made_or_whose_worker_died_makes_room_for_another(
    run_scenario: RunScenario,
) -> None:
    async def scenario(limiter: TimedLimiter, model: str) -> None:
        await trip(limiter, model)
        await limiter.pass_time(RULES.open_s + 1)
        unused = await limiter.acquire(model, NONE, [1], lease_s=LEASE_S)
        assert await limiter.release(model, unused.slot_ids) is None
        dead = await limiter.acquire(model, NONE, [1], lease_s=100)
        assert dead.slot_ids
        await limiter.pass_time(101)
        assert await call(limiter, model, True) == CircuitTransition()

    run_scenario(scenario)


def test_an_open_circuit_without_calls_closes_by_itself(run_scenario: RunScenario) -> None:
    async def scenario(limiter: TimedLimiter, model: str) -> None:
        await trip(limiter, model)
        await limiter.pass_time(RULES.open_s + 2 * RULES.open_cap_s + 1)
        assert (await limiter.acquire(model, NONE, [1, 1], lease_s=LEASE_S)).circuit is Circuit.CLOSED

    run_scenario(scenario)


def test_a_circuit_is_abandoned_when_a_probe_fails_after_too_long(
    run_scenario: RunScenario,
) -> None:
    async def scenario(limiter: TimedLimiter, model: str) -> None:
        limiter.rules = replace(RULES, give_up_s=199)
        await trip(limiter, model)
        await limiter.pass_time(RULES.open_s + 1)
        assert await call(limiter, model, False) == CircuitTransition(2 * RULES.open_s, 1, 1)
        assert (await limiter.acquire(model, NONE, [1], lease_s=LEASE_S)).circuit is Circuit.ABANDONED
        await limiter.pass_time(2 * RULES.open_s + 1)
        probe = await limiter.acquire(model, NONE, [1, 1], lease_s=LEASE_S)
        assert (len(probe.slot_ids), probe.circuit) == (1, Circuit.HALF_OPEN)
        assert await limiter.release(model, probe.slot_ids, healthy=True) == CircuitTransition()
        await trip(limiter, model)
        assert (await limiter.acquire(model, NONE, [1], lease_s=LEASE_S)).circuit is Circuit.OPEN

    run_scenario(scenario)


def test_after_an_operator_hold_one_call_at_a_time_probes_the_model(run_scenario: RunScenario) -> None:
    async def scenario(limiter: TimedLimiter, model: str) -> None:
        for _ in range(5):  # calls that are in flight together fail together: one hold
            await limiter.refuse(model, 200)
        on_hold = await limiter.acquire(model, NONE, [1], lease_s=LEASE_S)
        assert_fields(on_hold, slot_ids=(), circuit=Circuit.ON_HOLD)
        await limiter.pass_time(201)
        probe = await limiter.acquire(model, NONE, [1, 1], lease_s=LEASE_S)
        assert (len(probe.slot_ids), probe.circuit) == (1, Circuit.ON_HOLD)
        await limiter.refuse(model, 200)
        assert await limiter.release(model, probe.slot_ids) is None
        await limiter.pass_time(201)
        assert await call(limiter, model, True) == CircuitTransition()
        assert (await limiter.acquire(model, NONE, [1, 1], lease_s=LEASE_S)).circuit is Circuit.CLOSED

    run_scenario(scenario)


def test_a_model_that_was_on_hold_too_often_counts_as_half_open(run_scenario: RunScenario) -> None:
    async def scenario(limiter: TimedLimiter, model: str) -> None:
        for expected in (Circuit.ON_HOLD, Circuit.ON_HOLD, Circuit.HALF_OPEN):
            await limiter.refuse(model, 200)
            assert (await limiter.acquire(model, NONE, [1], lease_s=LEASE_S)).circuit is expected
            assert await limiter.not_closed([model]) == {model}
            await limiter.pass_time(201)

    run_scenario(scenario)


def test_old_calls_leave_the_window_and_redis(redis_url: str) -> None:
    rules = BreakerRules(window_s=500, min_calls=4, failure_rate=0.5)

    async def scenario() -> None:
        async with Redis.from_url(redis_url) as client:
            limiter, model = TimedRedisLimiter(client, rules), f"model-{uuid4().hex}"
            for _ in range(3):
                await call(limiter, model, False)
            await limiter.pass_time(600)
            assert await call(limiter, model, False) is None
            for _ in range(20):
                await call(limiter, model, True)
                await limiter.pass_time(30)
            assert await client.hlen(f"limit:{model}:window") <= 12
            assert await client.pttl(f"limit:{model}:window") > 0

    asyncio.run(scenario())


def test_four_workers_agree_on_one_probe(redis_url: str) -> None:
    async def scenario() -> None:
        model = f"model-{uuid4().hex}"
        clients = [Redis.from_url(redis_url) for _ in range(4)]
        workers = [TimedRedisLimiter(client, RULES) for client in clients]
        await trip(workers[0], model)
        await workers[0].pass_time(RULES.open_s + 1)
        grants = await asyncio.gather(*(w.acquire(model, NONE, [1] * 8, lease_s=LEASE_S) for w in workers))
        assert sum(len(grant.slot_ids) for grant in grants) == 1
        for client in clients:
            await client.aclose()

    asyncio.run(scenario())


def from_batch(batch: str, *requests: str, is_fresh: bool = True) -> list[Origin]:
    return [Origin(request, batch, is_fresh) for request in requests]


async def fail(
    limiter: TimedLimiter, model: str, batch: str, *requests: str
) -> list[CircuitTransition | None]:
    """Make calls that fail, one after the other."""
    found = []
    for origin in from_batch(batch, *requests):
        grant = await limiter.acquire(model, NONE, [1], lease_s=LEASE_S, origins=[origin])
        assert len(grant.slot_ids) == 1, grant
        found.append(await limiter.release(model, grant.slot_ids, healthy=False, origins=[origin]))
    return found


async def probe(
    limiter: TimedLimiter, model: str, origins: list[Origin], *, healthy: bool
) -> CircuitTransition | None:
    grant = await limiter.acquire(model, NONE, [1] * len(origins), lease_s=LEASE_S, origins=origins)
    assert len(grant.slot_ids) == 1, grant
    return await limiter.release(
        model, grant.slot_ids, healthy=healthy, origins=origins[grant.first : grant.first + 1]
    )


def test_one_request_that_fails_again_and_again_counts_once(run_scenario: RunScenario) -> None:
    async def scenario(limiter: TimedLimiter, model: str) -> None:
        assert await fail(limiter, model, "bad", *"abc" * 20) == [None] * 60
        assert await limiter.not_closed([model]) == set()
        grant = await limiter.acquire(model, NONE, [1] * 3, lease_s=LEASE_S)
        together = await limiter.release(
            model, grant.slot_ids, healthy=False, origins=from_batch("bad", "a", "b", "c")
        )
        assert together is None
        assert await fail(limiter, model, "bad", "d") == [CircuitTransition(RULES.open_s, 4, 4)]

    run_scenario(scenario)


def test_a_batch_without_part_in_the_failures_may_probe_an_open_circuit_at_once(
    run_scenario: RunScenario,
) -> None:
    async def scenario(limiter: TimedLimiter, model: str) -> None:
        await fail(limiter, model, "bad", *"abcd")
        waiting = from_batch("bad", "e", "f")
        held = await limiter.acquire(model, NONE, [1, 1], lease_s=LEASE_S, origins=waiting)
        assert_fields(held, slot_ids=(), circuit=Circuit.OPEN, involved=(True, True))
        both = [*waiting, *from_batch("good", "x", "y")]
        grant = await limiter.acquire(model, NONE, [1] * 4, lease_s=LEASE_S, origins=both)
        assert (len(grant.slot_ids), grant.first) == (1, 2)
        assert grant.involved == (True, True, False, False)
        second = await limiter.acquire(model, NONE, [1], lease_s=LEASE_S, origins=from_batch("good", "y"))
        assert_fields(second, slot_ids=(), circuit=Circuit.OPEN)
        closed = await limiter.release(model, grant.slot_ids, healthy=True, origins=both[2:3])
        assert closed == CircuitTransition()
        assert await limiter.not_closed([model]) == set()

    run_scenario(scenario)


def test_a_request_that_was_sent_before_is_no_probe_for_an_open_circuit(run_scenario: RunScenario) -> None:
    async def scenario(limiter: TimedLimiter, model: str) -> None:
        await fail(limiter, model, "bad", *"abcd")
        sent_before = from_batch("good", "x", is_fresh=False)
        grant = await limiter.acquire(model, NONE, [1], lease_s=LEASE_S, origins=sent_before)
        assert_fields(grant, slot_ids=(), circuit=Circuit.OPEN, involved=(False,))

    run_scenario(scenario)


def test_three_batches_that_fail_show_that_the_model_does(run_scenario: RunScenario) -> None:
    async def scenario(limiter: TimedLimiter, model: str) -> None:
        await fail(limiter, model, "one", *"abcd")
        for batch in ("two", "three"):
            assert await probe(limiter, model, from_batch(batch, "x"), healthy=False) is None
        fourth = await limiter.acquire(model, NONE, [1], lease_s=LEASE_S, origins=from_batch("four", "x"))
        assert_fields(fourth, slot_ids=(), circuit=Circuit.OPEN, involved=(True,))

    run_scenario(scenario)


def test_the_failures_of_a_batch_that_another_one_has_contradicted_do_not_count(
    run_scenario: RunScenario,
) -> None:
    async def scenario(limiter: TimedLimiter, model: str) -> None:
        await fail(limiter, model, "bad", *"abcd")
        assert await probe(limiter, model, from_batch("good", "x"), healthy=True) == CircuitTransition()
        assert await fail(limiter, model, "bad", *"efghijklm") == [None] * 9
        # until a request of it is answered, or the longest open time has passed
        assert await probe(limiter, model, from_batch("bad", "n"), healthy=True) is None
        assert await fail(limiter, model, "bad", *"opq") == [
            None,
            None,
            CircuitTransition(RULES.open_s, 3, 4),
        ]
        assert await probe(limiter, model, from_batch("good", "y"), healthy=True) == CircuitTransition()
        await limiter.pass_time(RULES.open_cap_s + 1)
        assert (await fail(limiter, model, "bad", *"stuv"))[-1] == CircuitTransition(RULES.open_s, 4, 4)

    run_scenario(scenario)


def test_half_open_prefers_requests_that_were_never_sent_and_then_takes_the_others(
    run_scenario: RunScenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("tasks.limits.redis", "tasks.limits.memory_circuit"):
        monkeypatch.setattr(f"{module}.PROBE_GRACE_S", 400)

    async def scenario(limiter: TimedLimiter, model: str) -> None:
        await fail(limiter, model, "one", *"abcd")
        await limiter.pass_time(RULES.open_s + 1)
        failed = from_batch("one", "a", "b", is_fresh=False)
        grant = await limiter.acquire(model, NONE, [1, 1], lease_s=LEASE_S, origins=failed)
        assert_fields(grant, slot_ids=(), circuit=Circuit.HALF_OPEN)
        assert 0 < grant.wait_s <= PROBE_POLL_S
        fresh = [*failed, *from_batch("one", "e")]
        grant = await limiter.acquire(model, NONE, [1] * 3, lease_s=LEASE_S, origins=fresh)
        assert (len(grant.slot_ids), grant.first) == (1, 2)
        await limiter.release(model, grant.slot_ids)
        await limiter.pass_time(401)
        grant = await limiter.acquire(model, NONE, [1, 1], lease_s=LEASE_S, origins=failed)
        assert (len(grant.slot_ids), grant.first) == (1, 0)

    run_scenario(scenario)


def test_one_refused_prompt_holds_nobody_and_is_at_fault_once_another_is_answered(
    run_scenario: RunScenario,
) -> None:
    async def scenario(limiter: TimedLimiter, model: str) -> None:
        flagged = Origin("flagged", "one")
        refuse = partial(limiter.refuse, model, 300, origin=flagged, enough=REFUSALS_OF_PROMPTS)
        assert await refuse() is Refusal.UNDECIDED
        assert await refuse() is Refusal.UNDECIDED  # the same request says nothing new
        assert await limiter.not_closed([model]) == set()
        assert await call(limiter, model, True) is None
        assert await refuse() is Refusal.OF_REQUEST
        assert await limiter.not_closed([model]) == set()

    run_scenario(scenario)


def test_two_refused_prompts_hold_a_model_that_answers_nobody(run_scenario: RunScenario) -> None:
    async def scenario(limiter: TimedLimiter, model: str) -> None:
        refuse = partial(limiter.refuse, model, 300, enough=REFUSALS_OF_PROMPTS)
        assert await refuse(origin=Origin("a", "one")) is Refusal.UNDECIDED
        assert await refuse(origin=Origin("b", "one")) is Refusal.OF_MODEL
        held = await limiter.acquire(model, NONE, [1], lease_s=LEASE_S, origins=from_batch("one", "c"))
        assert_fields(held, slot_ids=(), circuit=Circuit.ON_HOLD, involved=(True,))
        # Another batch may show at once that the others are at fault.
        assert await probe(limiter, model, from_batch("two", "x"), healthy=True) == CircuitTransition()
        assert (await limiter.acquire(model, NONE, [1, 1], lease_s=LEASE_S)).circuit is Circuit.CLOSED
        assert await refuse(origin=Origin("d", "one")) is Refusal.UNDECIDED

    run_scenario(scenario)


def test_while_others_are_answered_a_hold_takes_five_different_refusals_in_a_row(
    run_scenario: RunScenario,
) -> None:
    async def scenario(limiter: TimedLimiter, model: str) -> None:
        await call(limiter, model, True)
        for request in "abcd":
            assert await limiter.refuse(model, 300, origin=Origin(request, "one")) is Refusal.UNDECIDED
        await call(limiter, model, True)
        for request in "efgh":
            assert await limiter.refuse(model, 300, origin=Origin(request, "one")) is Refusal.UNDECIDED
        assert await limiter.refuse(model, 300, origin=Origin("i", "one")) is Refusal.OF_MODEL

    run_scenario(scenario)


def test_a_probe_that_is_refused_as_well_holds_the_model_again(run_scenario: RunScenario) -> None:
    async def scenario(limiter: TimedLimiter, model: str) -> None:
        assert await limiter.refuse(model, 50, origin=Origin("a", "one")) is Refusal.OF_MODEL
        await limiter.pass_time(51)
        again = await limiter.refuse(model, 50, origin=Origin("b", "one"), enough=REFUSALS_WHILE_ANSWERING)
        assert again is Refusal.OF_MODEL

    run_scenario(scenario)


def test_what_is_remembered_of_requests_is_bounded_and_expires(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.limits.redis.MAX_REMEMBERED", 10)

    async def scenario() -> None:
        async with Redis.from_url(redis_url) as client:
            limiter, model = RedisLimiter(client, replace(RULES, min_calls=1000)), f"model-{uuid4().hex}"
            for n in range(30):
                await fail(limiter, model, f"batch {n}", f"request {n}")
                await limiter.refuse(model, 0.001, origin=Origin(f"request {n}"), enough=1000)
            for part in ("failing", "failed", "refused"):
                assert await client.zcard(f"limit:{model}:{part}") == 10
                assert await client.pttl(f"limit:{model}:{part}") > 0

    asyncio.run(scenario())
