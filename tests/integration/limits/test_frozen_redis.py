"""A Redis that hangs and goes on answers requests for slots that nobody waits for any more."""

from __future__ import annotations

import asyncio
import signal
import time

from redis.asyncio import Redis
from redis.exceptions import RedisError

from tasks.limits import Limits, RedisLimiter
from tests.support.redis_server import RedisServer

LIMITS = Limits(max_concurrency=1)
LEASE_S = 3_000.0


async def granted(limiter: RedisLimiter) -> bool:
    """Return whether the only slot is granted; False, too, where Redis does not answer."""
    try:
        return bool((await limiter.acquire("model", LIMITS, [0], lease_s=LEASE_S)).slot_ids)
    except (RedisError, OSError):
        return False


def test_a_slot_that_was_given_up_while_redis_hung_is_free_when_it_goes_on() -> None:
    async def scenario(server: RedisServer) -> None:
        async with Redis.from_url(server.url, socket_timeout=1.0) as client:
            limiter = RedisLimiter(client)
            grant = await limiter.acquire("model", LIMITS, [0], lease_s=LEASE_S)
            await limiter.release("model", grant.slot_ids)
            server.signal(signal.SIGSTOP)
            assert not await granted(limiter)
            assert not await granted(limiter)
            server.signal(signal.SIGCONT)
            end = time.monotonic() + 240
            while not await granted(limiter):
                assert time.monotonic() < end
                await asyncio.sleep(0.05)

    with RedisServer() as server:
        asyncio.run(scenario(server))
