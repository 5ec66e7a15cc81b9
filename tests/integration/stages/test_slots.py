"""Slots of calls in flight: held while they are renewed, and given back although Redis did not hear of it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from tasks.limits import Limits, RedisLimiter
from tasks.settings import ModelSettings
from tasks.stages.dispatch.model_health import ModelHealth
from tasks.stages.dispatch.repository import DispatchRepository
from tasks.stages.dispatch.retry import RetryPolicy
from tasks.store.engine import Store
from tests.support.limiters import TimedRedisLimiter


def test_slots_that_redis_did_not_hear_of_are_given_back_once_it_is_there(redis_url: str) -> None:
    async def scenario() -> None:
        async with Redis.from_url(redis_url) as client:
            limiter, name, one = RedisLimiter(client), secrets.token_hex(4), Limits(max_concurrency=1)
            model = ModelSettings(name=name, litellm="openai/none", max_concurrency=1)
            repository = DispatchRepository(Store("sqlite://"), "me")
            health = ModelHealth(_FailsOnce(limiter), repository, RetryPolicy(), models=[name], lease_s=60)
            held = await health.acquire(model, [1])
            await health.release(name, held.slot_ids, healthy=None)
            assert not (await limiter.acquire(name, one, [1], lease_s=60)).slot_ids
            assert (await health.acquire(model, [1])).slot_ids

    asyncio.run(scenario())


def test_the_queues_of_two_models_give_back_at_once_what_redis_did_not_hear_of(redis_url: str) -> None:
    """An error in one of them would end the process, and its calls in flight would be paid twice."""

    async def scenario() -> None:
        async with Redis.from_url(redis_url) as client:
            limiter, names = RedisLimiter(client), [secrets.token_hex(4), secrets.token_hex(4)]
            models = [ModelSettings(name=one, litellm="openai/none", max_concurrency=2) for one in names]
            repository, away = DispatchRepository(Store("sqlite://"), "me"), _FailsOnce(limiter)
            health = ModelHealth(away, repository, RetryPolicy(), models=names, lease_s=60)
            held = [await health.acquire(model, [1, 1]) for model in models]
            for name, grant in zip(names, held, strict=True):
                away.fail()
                await health.release(name, grant.slot_ids, healthy=None)
            first = await asyncio.gather(*(health.acquire(model, [1]) for model in models))
            then = [await health.acquire(model, [1, 1]) for model in models]
            taken = [len(one.slot_ids) + len(other.slot_ids) for one, other in zip(first, then, strict=True)]
            assert taken == [2, 2]

    asyncio.run(scenario())


def test_a_slot_is_held_for_as_long_as_it_is_renewed_and_no_longer_than_its_lease_after_that(
    redis_url: str,
) -> None:
    async def scenario() -> None:
        async with Redis.from_url(redis_url) as client:
            limiter, name, two = TimedRedisLimiter(client), secrets.token_hex(4), Limits(max_concurrency=2)
            model = ModelSettings(name=name, litellm="openai/none", max_concurrency=2)
            repository = DispatchRepository(Store("sqlite://"), "me")
            health = ModelHealth(limiter, repository, RetryPolicy(), models=[name], lease_s=1_000)
            held = await health.acquire(model, [1, 1])
            for _ in range(4):
                await limiter.pass_time(400)
                await health.renew()
            assert not (await limiter.acquire(name, two, [1], lease_s=1_000)).slot_ids
            await health.release(name, held.slot_ids[:1], healthy=None)
            await health.renew()
            await limiter.pass_time(600)
            assert len((await limiter.acquire(name, two, [1, 1], lease_s=9_000)).slot_ids) == 1
            await limiter.pass_time(500)  # its holder has died
            assert len((await limiter.acquire(name, two, [1, 1], lease_s=9_000)).slot_ids) == 1

    asyncio.run(scenario())


def test_a_slot_that_is_given_back_while_it_is_renewed_is_free(redis_url: str) -> None:
    async def scenario() -> None:
        async with Redis.from_url(redis_url) as client:
            limiter, name, one = RedisLimiter(client), secrets.token_hex(4), Limits(max_concurrency=1)
            model = ModelSettings(name=name, litellm="openai/none", max_concurrency=1)
            repository = DispatchRepository(Store("sqlite://"), "me")
            slow = _RenewsLate(limiter)
            health = ModelHealth(slow, repository, RetryPolicy(), models=[name], lease_s=60)
            held = await health.acquire(model, [1])
            renewal = asyncio.create_task(health.renew())
            await slow.begun.wait()
            await health.release(name, held.slot_ids, healthy=None)
            slow.go_on.set()
            await renewal
            assert (await limiter.acquire(name, one, [1], lease_s=60)).slot_ids

    asyncio.run(scenario())


class _RenewsLate:
    """A limiter whose renewal reaches Redis after what was sent later."""

    def __init__(self, limiter: RedisLimiter) -> None:
        self._limiter = limiter
        self.begun, self.go_on = asyncio.Event(), asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._limiter, name)

    async def renew(self, model: str, slot_ids: Sequence[str], **options: Any) -> None:
        self.begun.set()
        await self.go_on.wait()
        await self._limiter.renew(model, slot_ids, **options)


class _FailsOnce:
    """A limiter whose first release, and the next one after each `fail`, meets a Redis that is away."""

    def __init__(self, limiter: RedisLimiter) -> None:
        self._limiter, self._down = limiter, True

    def fail(self) -> None:
        self._down = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._limiter, name)

    async def release(self, model: str, slot_ids: Sequence[str], **options: Any) -> Any:
        if self._down:
            self._down = False
            raise RedisConnectionError
        return await self._limiter.release(model, slot_ids, **options)
