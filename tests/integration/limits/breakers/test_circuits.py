"""The circuit breakers in a real Redis and in memory follow the same rules."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from uuid import uuid4

from redis.asyncio import Redis

from tasks.limits import BreakerRules, Circuit, CircuitTransition
from tests.support.breakers import LEASE_S, NONE, RULES, RunScenario, call, trip
from tests.support.comparisons import assert_fields
from tests.support.limiters import TimedLimiter, TimedRedisLimiter


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
