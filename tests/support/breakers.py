"""Calls of circuit breakers, whose time passes when a test says so."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from tasks.limits import BreakerRules, CircuitTransition, Limits, Origin
from tests.support.limiters import TimedLimiter

RULES = BreakerRules(
    window_s=5_000, min_calls=4, failure_rate=0.5, open_s=200, open_cap_s=500, max_operator_holds=2
)
NONE = Limits()
#: of calls, which no test waits for
LEASE_S = 30_000.0
Scenario = Callable[[TimedLimiter, str], Awaitable[None]]
RunScenario = Callable[[Scenario], None]


async def call(limiter: TimedLimiter, model: str, healthy: bool | None) -> CircuitTransition | None:
    """Make one call, from its permit to its release."""
    grant = await limiter.acquire(model, NONE, [1], lease_s=LEASE_S)
    assert len(grant.slot_ids) == 1, grant
    return await limiter.release(model, grant.slot_ids, healthy=healthy)


async def trip(limiter: TimedLimiter, model: str) -> None:
    transitions = [await call(limiter, model, False) for _ in range(RULES.min_calls)]
    assert transitions[-1] is not None


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
