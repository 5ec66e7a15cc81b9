"""Model health beside what is broken in the store, or in Redis, of one request or one model."""

from __future__ import annotations

import asyncio
import secrets

import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError
from sqlalchemy import update

from tasks.limits import RedisLimiter
from tasks.settings import ModelSettings
from tasks.stages.dispatch.model_health import ModelHealth
from tasks.stages.dispatch.repository import DispatchRepository
from tasks.stages.dispatch.retry import RetryPolicy
from tasks.store.engine import Store
from tasks.store.tables import decision
from tasks.store.values import Settlement
from tests.support import store_builders


def test_a_ranking_that_cannot_be_read_keeps_requests_at_their_model_and_ends_no_process(
    store: Store, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    batch_no = store_builders.submit(store, store_builders.lines(1, model=None))
    store_builders.route_all(store, batch_no, model="small")
    requests = store_builders.held(store, batch_no)
    with store.write() as connection:
        connection.execute(update(decision).values(ranking="no JSON"))

    async def moved() -> list[Settlement]:
        async with Redis.from_url(redis_url) as client:
            repository = DispatchRepository(store, "worker")
            health = ModelHealth(
                RedisLimiter(client), repository, RetryPolicy(), models=["small", "large"], lease_s=60
            )
            return await health.fail_over(requests, "small")

    assert asyncio.run(moved()) == []
    assert caplog.messages == ["requests for small are not sent elsewhere: Waybill: JSONDecodeError"]


def test_slots_are_renewed_beside_those_of_a_model_whose_keys_are_broken(
    store: Store, redis_url: str
) -> None:
    broken, healthy = (f"model-{secrets.token_hex(4)}" for _ in range(2))
    models = [ModelSettings(name=name, litellm="openai/x", allow_unpriced=True) for name in (broken, healthy)]

    async def scenario() -> None:
        async with Redis.from_url(redis_url) as client:
            repository = DispatchRepository(store, "worker")
            health = ModelHealth(RedisLimiter(client), repository, RetryPolicy(), models=[], lease_s=3_000)
            for model in models:
                await health.acquire(model, [1])
            slots = f"limit:{healthy}:slots"
            [slot] = await client.zrange(slots, 0, -1)
            await client.zadd(slots, {slot: 1})
            await client.set(f"limit:{broken}:slots", "no set")
            with pytest.raises(ResponseError):
                await health.renew()
            assert (await client.zscore(slots, slot) or 0) > 1

    asyncio.run(scenario())
