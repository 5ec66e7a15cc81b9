"""The limiter that all workers share through Redis; the rules are in the Lua scripts of this package."""

from __future__ import annotations

import math
from collections.abc import Sequence
from importlib.resources import files
from secrets import token_hex

from redis.asyncio import Redis
from redis.exceptions import RedisError

from tasks.limits.interface import (
    CROWD,
    MAX_REMEMBERED,
    OPERATOR_HOLD_MEMORY_S,
    PROBE_GRACE_S,
    PROBE_POLL_S,
    REFUSALS,
    REFUSALS_WHILE_ANSWERING,
    SLOT_POLL_S,
    UNKNOWN,
    BreakerRules,
    Circuit,
    CircuitTransition,
    Grant,
    Origin,
    Refusal,
)
from tasks.limits.rates import BURST_S, Limits

#: Slots per model that were asked for without an answer; older ones are left to their leases.
_MAX_UNANSWERED = 10_000
#: the argument `healthy` of release.lua
_HEALTH_CODES = {None: -1, False: 0, True: 1}

#: The keys of the scripts, in the order of their comments.
_ACQUIRE_KEYS = (
    "requests",
    "tokens",
    "slots",
    "pause",
    "open",
    "trips",
    "probe",
    "since",
    "failing",
    "grace",
)
_RELEASE_KEYS = (
    "slots",
    "open",
    "trips",
    "probe",
    "window",
    "since",
    "failing",
    "grace",
    "failed",
    "discounted",
    "answered",
    "pause",
)
_REFUSE_KEYS = ("pause", "trips", "refused", "answered", "failing", "grace", "discounted")


class RedisLimiter:
    """A limiter in Redis: GCRA for requests and tokens, leased slots for concurrency, a circuit breaker.

    A model's state is in the keys `limit:<model>:*`, by the clock of Redis; every key has a time to live. If
    a reply of Redis is lost and the client repeats the command, permits are counted twice against the limits,
    but never granted twice. Redis errors propagate; slots that were asked for without an answer are given
    back after the next answer: a server that hung grants them to nobody when it goes on.
    """

    def __init__(self, client: Redis, rules: BreakerRules = BreakerRules()) -> None:  # noqa: B008  (frozen)
        """Register the scripts; `client` (Redis 6.2 or later) is closed by the caller."""
        self.rules = rules
        # A Script runs by EVALSHA, and loads itself if Redis does not have it (after a restart or a flush).
        self._acquire = client.register_script(_script("acquire"))
        self._correct_tokens = client.register_script(_script("correct_tokens"))
        self._pause = client.register_script(_script("pause"))
        self._refuse = client.register_script(_script("refuse"))
        self._release = client.register_script(_script("release"))
        self._renew = client.register_script(_script("renew"))
        self._client = client
        self._unanswered: dict[str, list[str]] = {}

    async def acquire(
        self,
        model: str,
        limits: Limits,
        tokens: Sequence[int],
        *,
        lease_s: float,
        origins: Sequence[Origin] = (),
    ) -> Grant:
        """See `Limiter.acquire`."""
        slot_ids = [token_hex(16) for _ in tokens]
        rules = (
            limits.request_interval_us,
            limits.request_burst_us,
            limits.token_interval_us,
            BURST_S * 1e6,
            lease_s * 1e6,
            limits.max_concurrency or 0,
            SLOT_POLL_S * 1e6,
            PROBE_POLL_S * 1e6,
            self.rules.max_operator_holds,
            self.rules.give_up_s * 1e6,
            CROWD,
        )
        calls = zip(slot_ids, tokens, origins or [UNKNOWN] * len(tokens), strict=True)
        args = [
            part for slot, cost, origin in calls for part in (slot, cost, origin.batch, int(origin.is_fresh))
        ]
        keys = _keys(model, *_ACQUIRE_KEYS)
        try:
            granted, wait_us, circuit, first, involved = await self._acquire(keys=keys, args=[*rules, *args])
        except (RedisError, OSError):
            self._unanswered[model] = [*self._unanswered.get(model, ()), *slot_ids][-_MAX_UNANSWERED:]
            raise
        await self._give_back(model)
        return Grant(
            tuple(slot_ids[first : first + granted]),
            wait_us / 1e6,
            Circuit(circuit),
            first,
            tuple(map(bool, involved)),
        )

    async def _give_back(self, model: str) -> None:
        """Give back what was asked for without an answer; later, if Redis is down again."""
        slot_ids = self._unanswered.pop(model, [])
        try:
            await self.release(model, slot_ids)
        except (RedisError, OSError):
            self._unanswered[model] = slot_ids

    async def release(
        self,
        model: str,
        slot_ids: Sequence[str],
        *,
        healthy: bool | None = None,
        origins: Sequence[Origin] = (),
    ) -> CircuitTransition | None:
        """See `Limiter.release`."""
        if not slot_ids:
            return None
        rules = self.rules
        args: list[str | float] = [
            _HEALTH_CODES[healthy],
            rules.window_s * 1e6,
            rules.min_calls,
            rules.failure_rate,
            rules.open_s * 1000,
            rules.open_cap_s * 1000,
            PROBE_GRACE_S * 1000,
            MAX_REMEMBERED,
            int(OPERATOR_HOLD_MEMORY_S * 1000),
        ]
        for slot_id, origin in zip(slot_ids, origins or [UNKNOWN] * len(slot_ids), strict=True):
            args += (slot_id, origin.request, origin.batch)
        return _transition(*await self._release(keys=_keys(model, *_RELEASE_KEYS), args=args))

    async def renew(self, model: str, slot_ids: Sequence[str], *, lease_s: float) -> None:
        """See `Limiter.renew`."""
        if slot_ids:
            await self._renew(keys=_keys(model, "slots", "probe"), args=[lease_s * 1e6, *slot_ids])

    async def not_closed(self, models: Sequence[str]) -> set[str]:
        """See `Limiter.not_closed`."""
        trips = await self._client.mget([_key(model, "trips") for model in models]) if models else []
        return {model for model, tripped in zip(models, trips, strict=True) if tripped is not None}

    async def correct_tokens(self, model: str, limits: Limits, delta: int) -> None:
        """See `Limiter.correct_tokens`."""
        if limits.tpm and delta:
            await self._correct_tokens(keys=[_key(model, "tokens")], args=[delta * limits.token_interval_us])

    async def pause(self, model: str, seconds: float) -> None:
        """See `Limiter.pause`."""
        if seconds > 0:
            await self._pause(keys=[_key(model, "pause")], args=[math.ceil(seconds * 1000)])

    async def refuse(
        self, model: str, seconds: float, *, origin: Origin = UNKNOWN, enough: int = REFUSALS
    ) -> Refusal:
        """See `Limiter.refuse`."""
        args: list[str | float] = [
            max(1, math.ceil(seconds * 1000)),
            int(OPERATOR_HOLD_MEMORY_S * 1000),
            int(PROBE_GRACE_S * 1000),
            self.rules.window_s * 1000,
            enough,
            max(enough, REFUSALS_WHILE_ANSWERING),
            MAX_REMEMBERED,
            self.rules.window_s * 1e6,
            origin.request,
            origin.batch,
        ]
        return Refusal(await self._refuse(keys=_keys(model, *_REFUSE_KEYS), args=args))


def _script(name: str) -> str:
    """Return the text of a script, with what all of them share before it."""
    sources = (files("tasks.limits").joinpath(f"{part}.lua") for part in ("prelude", name))
    return "\n".join(source.read_text(encoding="utf-8") for source in sources)


def _transition(
    changed: int, open_ms: int = 0, failures: int = 0, calls: int = 0
) -> CircuitTransition | None:
    return CircuitTransition(open_ms / 1000, failures, calls) if changed else None


def _keys(model: str, *parts: str) -> list[str]:
    return [_key(model, part) for part in parts]


def _key(model: str, part: str) -> str:
    return f"limit:{model}:{part}"
