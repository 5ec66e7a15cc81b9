"""The limiter for a single process, without Redis; tests use it too."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from uuid import uuid4

from tasks.limits.interface import (
    BURST_S,
    OPERATOR_HOLD_MEMORY_S,
    PROBE_POLL_S,
    SLOT_POLL_S,
    BreakerRules,
    Circuit,
    CircuitTransition,
    Grant,
    Limits,
)


@dataclass(slots=True)
class _State:
    """The state of one model; times are in microseconds by the limiter's clock. acquire.lua defines TAT."""

    request_tat: float = 0.0
    token_tat: float = 0.0
    paused_until: float = 0.0
    #: slot id -> time at which it expires
    slots: dict[str, float] = field(default_factory=dict)
    #: the circuit breaker, as in release.lua: `trips` is negative for operator holds
    open_until: float = 0.0
    trips: int = 0
    trips_until: float = 0.0
    opened_at: float | None = None
    #: (slot id, time at which it expires)
    probe: tuple[str, float] | None = None
    #: (time, healthy) of the calls that ended within the window
    ended: list[tuple[float, bool]] = field(default_factory=list)


class MemoryLimiter:
    """A limiter in memory with the rules of RedisLimiter; `clock` returns monotonic seconds."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        rules: BreakerRules = BreakerRules(),  # noqa: B008  (frozen)
    ) -> None:
        self.rules = rules
        self._clock = clock
        self._states: dict[str, _State] = {}

    async def acquire(self, model: str, limits: Limits, tokens: Sequence[int], *, lease_s: float) -> Grant:
        """See `Limiter.acquire`."""
        state, now = self._state(model), self._now()
        circuit, wait = self._circuit(state, now), max(state.open_until, state.paused_until) - now
        if wait <= 0 and circuit is not Circuit.CLOSED and state.probe is not None:
            wait = PROBE_POLL_S * 1e6
        if wait > 0:
            return Grant((), wait / 1e6, circuit)
        slot_ids: list[str] = []
        for call_tokens in tokens:
            wait = _wait_us(state, limits, now)
            if circuit is not Circuit.CLOSED and slot_ids:
                wait = max(wait, PROBE_POLL_S * 1e6)
            if wait > 0:
                break
            slot_ids.append(_occupy_slot(state, limits, call_tokens, now + lease_s * 1e6))
        if circuit is not Circuit.CLOSED and slot_ids:
            state.probe = (slot_ids[0], now + lease_s * 1e6)
        return Grant(tuple(slot_ids), max(wait, 0.0) / 1e6, circuit)

    async def release(
        self, model: str, slot_ids: Sequence[str], *, healthy: bool | None = None
    ) -> CircuitTransition | None:
        """See `Limiter.release`."""
        state, now = self._state(model), self._now()
        is_probe = state.probe is not None and state.probe[0] in slot_ids
        for slot_id in slot_ids:
            state.slots.pop(slot_id, None)
        if is_probe:
            state.probe = None
        circuit = self._circuit(state, now)
        if not slot_ids or healthy is None or state.open_until > now:
            return None
        if circuit is not Circuit.CLOSED:
            return self._end_probe(state, now, healthy) if is_probe else None
        return self._record(state, [(now, healthy)] * len(slot_ids))

    async def not_closed(self, models: Sequence[str]) -> set[str]:
        """See `Limiter.not_closed`."""
        now = self._now()
        return {model for model in models if self._circuit(self._state(model), now) is not Circuit.CLOSED}

    async def correct_tokens(self, model: str, limits: Limits, delta: int) -> None:
        """See `Limiter.correct_tokens`."""
        state = self._state(model)
        state.token_tat = max(state.token_tat, self._now()) + delta * limits.token_interval_us

    async def pause(self, model: str, seconds: float, *, operator_hold: bool = False) -> None:
        """See `Limiter.pause`."""
        state, until = self._state(model), self._now() + seconds * 1e6
        if operator_hold and state.paused_until <= self._now() and state.trips <= 0:
            state.trips, state.trips_until = state.trips - 1, until + OPERATOR_HOLD_MEMORY_S * 1e6
        state.paused_until = max(state.paused_until, until)

    def _circuit(self, state: _State, now: float) -> Circuit:
        if state.open_until > now:
            is_abandoned = state.opened_at is not None and now - state.opened_at > self.rules.give_up_s * 1e6
            return Circuit.ABANDONED if is_abandoned else Circuit.OPEN
        if not state.trips:
            return Circuit.CLOSED
        is_broken = state.trips > 0 or -state.trips > self.rules.max_operator_holds
        return Circuit.HALF_OPEN if is_broken else Circuit.ON_HOLD

    def _end_probe(self, state: _State, now: float, healthy: bool) -> CircuitTransition:
        if not healthy:
            return self._open(state, now, max(state.trips, 0) + 1, 1, 1)
        state.trips, state.opened_at, state.ended = 0, None, []
        return CircuitTransition()

    def _record(self, state: _State, ended: Sequence[tuple[float, bool]]) -> CircuitTransition | None:
        """Add the calls to the window, and open the circuit if too many of its calls failed."""
        now, healthy = ended[-1]
        window_start = now - self.rules.window_s * 1e6
        state.ended = [*((at, was_healthy) for at, was_healthy in state.ended if at > window_start), *ended]
        calls, failures = len(state.ended), sum(not was_healthy for _, was_healthy in state.ended)
        if healthy or calls < self.rules.min_calls or failures < self.rules.failure_rate * calls:
            return None
        return self._open(state, now, 1, failures, calls)

    def _open(self, state: _State, now: float, trips: int, failures: int, calls: int) -> CircuitTransition:
        open_s = min(self.rules.open_cap_s, self.rules.open_s * 2.0 ** min(trips - 1, 31))
        state.open_until = now + open_s * 1e6
        state.opened_at = now if state.opened_at is None else state.opened_at
        state.trips, state.trips_until = trips, state.open_until + 2e6 * self.rules.open_cap_s
        state.ended = []
        return CircuitTransition(open_s, failures, calls)

    def _state(self, model: str) -> _State:
        """Return the model's state, with everything that has expired removed."""
        state, now = self._states.setdefault(model, _State()), self._now()
        state.slots = {slot_id: expiry for slot_id, expiry in state.slots.items() if expiry > now}
        state.request_tat, state.token_tat = max(state.request_tat, now), max(state.token_tat, now)
        if state.probe is not None and state.probe[1] <= now:
            state.probe = None
        if state.trips_until <= now:
            state.trips, state.opened_at = 0, None
        return state

    def _now(self) -> float:
        return self._clock() * 1e6


def _wait_us(state: _State, limits: Limits, now: float) -> float:
    wait = max(state.request_tat - limits.request_burst_us, state.token_tat - BURST_S * 1e6) - now
    is_full = limits.max_concurrency is not None and len(state.slots) >= limits.max_concurrency
    return max(wait, SLOT_POLL_S * 1e6 if is_full else 0.0, 0.0)


def _occupy_slot(state: _State, limits: Limits, tokens: int, expiry: float) -> str:
    """Count a call against the limits and return the id of its slot."""
    slot_id = uuid4().hex
    state.slots[slot_id] = expiry
    state.request_tat += limits.request_interval_us
    state.token_tat += limits.token_interval_us * tokens
    return slot_id
