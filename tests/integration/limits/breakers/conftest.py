"""Each limiter, for scenarios of circuit breakers."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from tests.support.breakers import RULES, RunScenario, Scenario
from tests.support.limiters import TimedMemoryLimiter, TimedRedisLimiter


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
