"""The limiters in a real Redis and in memory follow the same rules."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from tasks.limits import Limiter, Limits, Origin, RedisLimiter
from tasks.limits.rates import BURST_S, HEADROOM
from tests.support.limiters import TimedLimiter, TimedMemoryLimiter, TimedRedisLimiter

LEASE_S = 3_000.0

Scenario = Callable[[TimedLimiter, str], Awaitable[None]]
RunScenario = Callable[[Scenario], None]


@asynccontextmanager
async def redis_limiter(url: str) -> AsyncIterator[Limiter]:
    async with Redis.from_url(url) as client:
        yield RedisLimiter(client)


@pytest.fixture(params=["redis", "memory"])
def run_scenario(request: pytest.FixtureRequest, redis_url: str) -> RunScenario:
    """A function that runs a scenario on each limiter, with a model of its own."""

    async def on_redis(scenario: Scenario) -> None:
        async with Redis.from_url(redis_url) as client:
            await scenario(TimedRedisLimiter(client), f"model-{uuid4().hex}")

    async def in_memory(scenario: Scenario) -> None:
        await scenario(TimedMemoryLimiter(), "model")

    run = on_redis if request.param == "redis" else in_memory
    return lambda scenario: asyncio.run(run(scenario))


def test_without_limits_everything_is_granted(run_scenario: RunScenario) -> None:
    async def scenario(limiter: TimedLimiter, model: str) -> None:
        grant = await limiter.acquire(model, Limits(), [10_000] * 500, lease_s=LEASE_S)
        assert len(set(grant.slot_ids)) == 500
        assert grant.wait_s == 0

    run_scenario(scenario)


def test_no_costs_get_no_permits(run_scenario: RunScenario) -> None:
    async def scenario(limiter: TimedLimiter, model: str) -> None:
        grant = await limiter.acquire(model, Limits(rpm=1), [], lease_s=LEASE_S)
        assert grant.slot_ids == ()
        await limiter.release(model, grant.slot_ids)

    run_scenario(scenario)


def test_requests_get_a_burst_and_then_the_time_of_the_next_one(run_scenario: RunScenario) -> None:
    async def scenario(limiter: TimedLimiter, model: str) -> None:
        limits = Limits(rpm=600)
        first = await limiter.acquire(model, limits, [0] * 50, lease_s=LEASE_S)
        assert 1 <= len(first.slot_ids) <= 600 / 60 * BURST_S
        assert 0 < first.wait_s <= 60 / (600 * HEADROOM)
        await limiter.pass_time(first.wait_s)
        assert (await limiter.acquire(model, limits, [0], lease_s=LEASE_S)).slot_ids

    run_scenario(scenario)


def test_a_slow_model_is_granted_one_request_at_a_time(run_scenario: RunScenario) -> None:
    async def scenario(limiter: TimedLimiter, model: str) -> None:
        grant = await limiter.acquire(model, Limits(rpm=10), [0] * 5, lease_s=LEASE_S)
        assert len(grant.slot_ids) == 1
        assert grant.wait_s == pytest.approx(6 / HEADROOM, abs=0.01)

    run_scenario(scenario)


def test_a_request_larger_than_the_token_burst_is_granted_and_paid_off_afterwards(
    run_scenario: RunScenario,
) -> None:
    async def scenario(limiter: TimedLimiter, model: str) -> None:
        limits = Limits(tpm=60_000)
        grant = await limiter.acquire(model, limits, [500_000, 500_000], lease_s=LEASE_S)
        assert len(grant.slot_ids) == 1
        assert grant.wait_s == pytest.approx(500 / HEADROOM - BURST_S, abs=0.01)

    run_scenario(scenario)


@pytest.mark.parametrize(("delta", "seconds"), [(-400_000, 100), (400_000, 900)])
def test_settling_tokens_corrects_the_wait(run_scenario: RunScenario, delta: int, seconds: int) -> None:
    expected_s = seconds / HEADROOM - BURST_S

    async def scenario(limiter: TimedLimiter, model: str) -> None:
        limits = Limits(tpm=60_000)
        await limiter.acquire(model, limits, [500_000], lease_s=LEASE_S)
        await limiter.correct_tokens(model, limits, delta)
        grant = await limiter.acquire(model, limits, [1], lease_s=LEASE_S)
        assert grant.wait_s == pytest.approx(expected_s, abs=0.01)

    run_scenario(scenario)


def test_settling_never_saves_up_more_than_the_burst(run_scenario: RunScenario) -> None:
    async def scenario(limiter: TimedLimiter, model: str) -> None:
        limits = Limits(tpm=60_000)
        await limiter.correct_tokens(model, limits, -1_000_000)
        grant = await limiter.acquire(model, limits, [1_000, 1_000], lease_s=LEASE_S)
        assert len(grant.slot_ids) == 1

    run_scenario(scenario)


def test_calls_in_flight_are_bounded_until_released(run_scenario: RunScenario) -> None:
    async def scenario(limiter: TimedLimiter, model: str) -> None:
        limits = Limits(max_concurrency=3)
        first = await limiter.acquire(model, limits, [0] * 5, lease_s=LEASE_S)
        assert len(first.slot_ids) == 3
        assert first.wait_s > 0
        await limiter.release(model, [*first.slot_ids[:2], first.slot_ids[0], "unknown"])
        second = await limiter.acquire(model, limits, [0] * 5, lease_s=LEASE_S)
        assert len(second.slot_ids) == 2

    run_scenario(scenario)


def test_the_slots_of_a_crashed_holder_are_free_after_their_lease(run_scenario: RunScenario) -> None:
    async def scenario(limiter: TimedLimiter, model: str) -> None:
        limits = Limits(max_concurrency=2)
        await limiter.acquire(model, limits, [0], lease_s=LEASE_S)
        await limiter.acquire(model, limits, [0], lease_s=100)
        assert not (await limiter.acquire(model, limits, [0], lease_s=LEASE_S)).slot_ids
        await limiter.pass_time(101)
        assert len((await limiter.acquire(model, limits, [0, 0], lease_s=LEASE_S)).slot_ids) == 1

    run_scenario(scenario)


def test_a_renewed_slot_outlives_its_lease_and_one_that_has_expired_counts_again(
    run_scenario: RunScenario,
) -> None:
    async def scenario(limiter: TimedLimiter, model: str) -> None:
        limits = Limits(max_concurrency=2)
        held = await limiter.acquire(model, limits, [0, 0], lease_s=100)
        await limiter.renew(model, held.slot_ids[:1], lease_s=LEASE_S)
        await limiter.pass_time(101)
        other = await limiter.acquire(model, limits, [0, 0], lease_s=LEASE_S)
        assert len(other.slot_ids) == 1
        await limiter.renew(model, held.slot_ids[1:], lease_s=LEASE_S)
        await limiter.release(model, other.slot_ids)
        assert not (await limiter.acquire(model, limits, [0], lease_s=LEASE_S)).slot_ids
        await limiter.release(model, held.slot_ids)
        assert len((await limiter.acquire(model, limits, [0, 0], lease_s=LEASE_S)).slot_ids) == 2

    run_scenario(scenario)


def test_a_pause_holds_every_worker_and_a_shorter_one_does_not_end_it(run_scenario: RunScenario) -> None:
    async def scenario(limiter: TimedLimiter, model: str) -> None:
        await limiter.pause(model, 300)
        await limiter.pause(model, 50)
        held = await limiter.acquire(model, Limits(), [0], lease_s=LEASE_S)
        assert held.slot_ids == ()
        assert 200 < held.wait_s <= 300
        await limiter.pass_time(held.wait_s + 0.01)
        assert (await limiter.acquire(model, Limits(), [0], lease_s=LEASE_S)).slot_ids

    run_scenario(scenario)


def test_models_do_not_share_limits(run_scenario: RunScenario) -> None:
    async def scenario(limiter: TimedLimiter, model: str) -> None:
        await limiter.pause(model, 500)
        assert (await limiter.acquire(f"{model}-other", Limits(rpm=10), [0], lease_s=LEASE_S)).slot_ids

    run_scenario(scenario)


async def work(limiter: Limiter, model: str, limits: Limits, until: float) -> list[tuple[float, float]]:
    """Acquire and release permits as one worker does; return the times between which each call started."""
    loop = asyncio.get_running_loop()
    starts: list[tuple[float, float]] = []
    while (asked := loop.time()) < until:
        grant = await limiter.acquire(model, limits, [0] * 20, lease_s=LEASE_S)
        starts += [(asked, loop.time())] * len(grant.slot_ids)
        await limiter.release(model, grant.slot_ids)
        await asyncio.sleep(grant.wait_s)
    return starts


def most_within(starts: list[tuple[float, float]], window_s: float) -> int:
    """The most calls that began for certain in a window of this length."""
    return max(sum(begin <= asked and got < begin + window_s for asked, got in starts) for begin, _ in starts)


def test_four_workers_never_exceed_the_allowed_rate(redis_url: str) -> None:
    rpm, duration_s = 3_000, 2.5

    async def one_worker(model: str, until: float) -> list[tuple[float, float]]:
        async with redis_limiter(redis_url) as limiter:
            return await work(limiter, model, Limits(rpm=rpm), until)

    async def four_workers() -> list[tuple[float, float]]:
        until = asyncio.get_running_loop().time() + duration_s
        model = f"model-{uuid4().hex}"
        each = await asyncio.gather(*(one_worker(model, until) for _ in range(4)))
        return [start for starts in each for start in starts]

    starts = asyncio.run(four_workers())
    per_second = rpm / 60
    lasted_s = max(got for _, got in starts) - min(asked for asked, _ in starts)
    assert len(starts) <= per_second * (HEADROOM * lasted_s + BURST_S) + 1
    # In a window of any length, a provider gets the sustained rate and at most one burst.
    assert most_within(starts, 1.0) <= per_second * (HEADROOM + BURST_S + 0.05)


def test_the_allowed_rate_is_used_up(run_scenario: RunScenario) -> None:
    async def scenario(limiter: TimedLimiter, model: str) -> None:
        limits, waited_s, calls = Limits(rpm=6), 0.0, 0
        while waited_s < 600:
            grant = await limiter.acquire(model, limits, [0] * 20, lease_s=LEASE_S)
            calls += len(grant.slot_ids)
            await limiter.release(model, grant.slot_ids)
            await limiter.pass_time(grant.wait_s)
            waited_s += grant.wait_s
        assert 60 * HEADROOM <= calls <= 60 * HEADROOM + 2

    run_scenario(scenario)


def test_every_key_expires_and_none_holds_more_than_numbers(redis_url: str) -> None:
    async def scenario() -> None:
        async with Redis.from_url(redis_url) as client:
            limiter, model = RedisLimiter(client), f"model-{uuid4().hex}"
            await limiter.acquire(model, Limits(rpm=10, tpm=10, max_concurrency=1), [7], lease_s=LEASE_S)
            await limiter.refuse(model, 9, origin=Origin("request", "batch"))
            keys = sorted([key async for key in client.scan_iter(f"limit:{model}:*")])
            parts = [key.decode().rpartition(":")[2] for key in keys]
            assert parts == ["failing", "grace", "pause", "refused", "requests", "slots", "tokens", "trips"]
            lasting = [key for key in keys if await client.pttl(key) <= 0]
            assert lasting == []

    asyncio.run(scenario())


def test_a_flushed_redis_does_not_stop_the_limiter(redis_url: str) -> None:
    async def scenario() -> None:
        async with Redis.from_url(redis_url) as client:
            limiter, model = RedisLimiter(client), f"model-{uuid4().hex}"
            await limiter.acquire(model, Limits(rpm=600), [0], lease_s=LEASE_S)
            await client.script_flush()
            assert (await limiter.acquire(model, Limits(rpm=600), [0], lease_s=LEASE_S)).slot_ids

    asyncio.run(scenario())
