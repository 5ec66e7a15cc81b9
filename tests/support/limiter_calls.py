"""What a dispatch worker asks of its limits and circuits: every branch of the scripts."""

from __future__ import annotations

from redis.asyncio import Redis

from tasks.limits import BreakerRules, Limits, Origin, RedisLimiter


async def make_every_call(client: Redis) -> None:
    """Take and give back slots of two models; a failure opens a circuit, another batch's probe closes it."""
    limiter, origin = RedisLimiter(client, BreakerRules(min_calls=1)), Origin("request", "batch")
    grant = await limiter.acquire("m", Limits(rpm=6_000, tpm=9_000), [1, 1], lease_s=9)
    await limiter.renew("m", grant.slot_ids, lease_s=9)
    await limiter.correct_tokens("m", Limits(tpm=9_000), 5)
    for healthy in (True, False):
        await limiter.release("m", grant.slot_ids[:1], healthy=healthy, origins=[origin])
    await limiter.refuse("n", 1, origin=origin)
    assert await limiter.not_closed(["m", "n"]) == {"m", "n"}
    for model in ("m", "n"):
        other = [Origin("other request", "other batch")]
        probe = await limiter.acquire(model, Limits(), [1], lease_s=9, origins=other)
        await limiter.renew(model, probe.slot_ids, lease_s=9)
        await limiter.release(model, probe.slot_ids, healthy=True, origins=other)
    assert await limiter.not_closed(["m", "n"]) == set()
    await limiter.pause("m", 1)
