"""The same limits inside one process: for tests, and wherever a single worker needs no Redis."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from uuid import uuid4

from tasks.limits.values import BURST_S, SLOT_POLL_S, Grant, Limits


@dataclass(slots=True)
class _State:
    """One model: times in microseconds of the limiter's clock; a TAT is what acquire.lua says it is."""

    request_tat: float = 0.0
    token_tat: float = 0.0
    paused_until: float = 0.0
    slots: dict[str, float] = field(default_factory=dict)


class MemoryLimiter:
    """Keeps the limits of RedisLimiter, by a clock in seconds that never runs backwards."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._states: dict[str, _State] = {}

    async def acquire(self, model: str, limits: Limits, costs: Sequence[int], *, lease_s: float) -> Grant:
        """See `Limiter.acquire`."""
        state, now = self._states.setdefault(model, _State()), self._now()
        if state.paused_until > now:
            return Grant((), (state.paused_until - now) / 1e6)
        _refresh(state, now)
        slot_ids: list[str] = []
        wait = 0.0
        for cost in costs:
            wait = _wait_us(state, limits, now)
            if wait > 0:
                break
            slot_ids.append(_take(state, limits, cost, now + lease_s * 1e6))
        return Grant(tuple(slot_ids), wait / 1e6)

    async def release(self, model: str, slot_ids: Sequence[str]) -> None:
        """See `Limiter.release`."""
        state = self._states.setdefault(model, _State())
        for slot_id in slot_ids:
            state.slots.pop(slot_id, None)

    async def settle_tokens(self, model: str, limits: Limits, delta: int) -> None:
        """See `Limiter.settle_tokens`."""
        state = self._states.setdefault(model, _State())
        state.token_tat = max(state.token_tat, self._now()) + delta * limits.token_interval_us

    async def pause(self, model: str, seconds: float) -> None:
        """See `Limiter.pause`."""
        state = self._states.setdefault(model, _State())
        state.paused_until = max(state.paused_until, self._now() + seconds * 1e6)

    def _now(self) -> float:
        return self._clock() * 1e6


def _refresh(state: _State, now: float) -> None:
    state.slots = {slot_id: expiry for slot_id, expiry in state.slots.items() if expiry > now}
    state.request_tat = max(state.request_tat, now)
    state.token_tat = max(state.token_tat, now)


def _wait_us(state: _State, limits: Limits, now: float) -> float:
    wait = max(state.request_tat - limits.request_burst_us, state.token_tat - BURST_S * 1e6) - now
    full = limits.max_concurrency is not None and len(state.slots) >= limits.max_concurrency
    return max(wait, SLOT_POLL_S * 1e6 if full else 0.0, 0.0)


def _take(state: _State, limits: Limits, cost: int, expiry: float) -> str:
    slot_id = uuid4().hex
    state.slots[slot_id] = expiry
    state.request_tat += limits.request_interval_us
    state.token_tat += limits.token_interval_us * cost
    return slot_id
