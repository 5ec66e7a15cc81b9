"""Limiters whose time passes when a test says so: no pause of a busy machine changes what they grant."""

from __future__ import annotations

from typing import Any, Protocol
from uuid import uuid4

from redis.asyncio import Redis
from redis.commands.core import AsyncScript

from tasks.limits import BreakerRules, Limiter, MemoryLimiter, RedisLimiter

_CLOCK = "redis.call('TIME')"


class TimedLimiter(Limiter, Protocol):
    """A limiter with a clock of its own."""

    rules: BreakerRules

    async def pass_time(self, seconds: float) -> None:
        """Let so many seconds pass."""


class TimedMemoryLimiter(MemoryLimiter):
    """A limiter in memory with a clock of its own."""

    def __init__(self, rules: BreakerRules = BreakerRules()) -> None:  # noqa: B008  (frozen)
        self._us = 0
        super().__init__(self._tick, rules)

    def _tick(self) -> float:
        self._us += 1
        return self._us / 1e6

    async def pass_time(self, seconds: float) -> None:
        """Let so many seconds pass."""
        self._us += round(seconds * 1e6)


class TimedRedisLimiter(RedisLimiter):
    """A limiter in Redis whose scripts read the time from a key, a microsecond later each time.

    The times to live of its keys are Redis' own, and are shortened as time passes: a test uses minutes,
    beside which what a machine takes is nothing.
    """

    def __init__(self, client: Redis, rules: BreakerRules = BreakerRules()) -> None:  # noqa: B008  (frozen)
        super().__init__(client, rules)
        self._time = f"test:time:{uuid4().hex}"
        scripts: dict[str, Any] = {n: one for n, one in vars(self).items() if isinstance(one, AsyncScript)}
        for name, script in scripts.items():
            assert _CLOCK in script.script
            mine = f"{{0, redis.call('INCR', '{self._time}')}}"
            setattr(self, name, client.register_script(script.script.replace(_CLOCK, mine)))

    async def pass_time(self, seconds: float) -> None:
        """Let so many seconds pass."""
        await self._client.incrby(self._time, round(seconds * 1e6))
        async for key in self._client.scan_iter("limit:*"):
            left_ms = await self._client.pttl(key)
            if left_ms > seconds * 1000:
                await self._client.pexpire(key, int(left_ms - seconds * 1000))
            elif left_ms >= 0:
                await self._client.delete(key)
