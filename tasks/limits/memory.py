"""The limiter for a single process, without Redis; tests use it too."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from uuid import uuid4

from tasks.limits.interface import (
    PROBE_POLL_S,
    REFUSALS,
    SLOT_POLL_S,
    UNKNOWN,
    BreakerRules,
    Circuit,
    CircuitTransition,
    Grant,
    Origin,
    Refusal,
)
from tasks.limits.memory_circuit import MemoryCircuit
from tasks.limits.rates import BURST_S, Limits


@dataclass(slots=True)
class _State:
    """The state of one model; times are in microseconds by the limiter's clock. acquire.lua defines TAT."""

    circuit: MemoryCircuit
    request_tat: float = 0.0
    token_tat: float = 0.0
    #: slot id -> time at which it expires
    slots: dict[str, float] = field(default_factory=dict)


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
        state, now = self._state(model), self._now()
        if state.circuit.at(now) is not Circuit.CLOSED:
            return self._acquire_probe(state, limits, tokens, origins or [UNKNOWN] * len(tokens), lease_s)
        wait = state.circuit.paused_until - now
        if wait > 0:
            return Grant((), wait / 1e6)
        slot_ids: list[str] = []
        for call_tokens in tokens:
            wait = _wait_us(state, limits, now)
            if wait > 0:
                break
            slot_ids.append(_occupy_slot(state, limits, call_tokens, now + lease_s * 1e6))
        return Grant(tuple(slot_ids), max(wait, 0.0) / 1e6)

    async def release(
        self,
        model: str,
        slot_ids: Sequence[str],
        *,
        healthy: bool | None = None,
        origins: Sequence[Origin] = (),
    ) -> CircuitTransition | None:
        """See `Limiter.release`."""
        state, now = self._state(model), self._now()
        circuit = state.circuit
        is_probe = circuit.probe is not None and circuit.probe[0] in slot_ids
        for slot_id in slot_ids:
            state.slots.pop(slot_id, None)
        if is_probe:
            circuit.probe = None
        if not slot_ids or healthy is None:
            return None
        known = origins or [UNKNOWN] * len(slot_ids)
        return circuit.end(now, known, healthy=healthy, is_probe=is_probe)

    async def renew(self, model: str, slot_ids: Sequence[str], *, lease_s: float) -> None:
        """See `Limiter.renew`."""
        state, expiry = self._state(model), self._now() + lease_s * 1e6
        state.slots.update(dict.fromkeys(slot_ids, expiry))
        if (probe := state.circuit.probe) is not None and probe[0] in slot_ids:
            state.circuit.probe = (probe[0], expiry)

    async def not_closed(self, models: Sequence[str]) -> set[str]:
        """See `Limiter.not_closed`."""
        now = self._now()
        return {model for model in models if self._state(model).circuit.at(now) is not Circuit.CLOSED}

    async def correct_tokens(self, model: str, limits: Limits, delta: int) -> None:
        """See `Limiter.correct_tokens`."""
        state = self._state(model)
        state.token_tat = max(state.token_tat, self._now()) + delta * limits.token_interval_us

    async def pause(self, model: str, seconds: float) -> None:
        """See `Limiter.pause`."""
        circuit = self._state(model).circuit
        circuit.paused_until = max(circuit.paused_until, self._now() + seconds * 1e6)

    async def refuse(
        self, model: str, seconds: float, *, origin: Origin = UNKNOWN, enough: int = REFUSALS
    ) -> Refusal:
        """See `Limiter.refuse`."""
        return self._state(model).circuit.refuse(self._now(), seconds * 1e6, origin, enough)

    def _acquire_probe(
        self,
        state: _State,
        limits: Limits,
        tokens: Sequence[int],
        origins: Sequence[Origin],
        lease_s: float,
    ) -> Grant:
        """Acquire a permit for the one call that may probe the model, if there is one."""
        now, circuit = self._now(), state.circuit
        result = Grant((), 0.0, circuit.at(now), 0, circuit.involved(origins))
        rest_us = max(circuit.open_until, circuit.paused_until) - now
        probe_us = PROBE_POLL_S * 1e6
        if circuit.trips > 0 and circuit.paused_until > now:  # a pause for the rate holds for every call
            return replace(result, wait_s=rest_us / 1e6)
        if circuit.probe is not None:
            return replace(result, wait_s=PROBE_POLL_S)
        first = circuit.probe_among(origins, now)
        if first is None:
            return replace(result, wait_s=(rest_us if rest_us > 0 else probe_us) / 1e6)
        wait_us = _wait_us(state, limits, now)
        if wait_us > 0:
            return replace(result, wait_s=wait_us / 1e6, first=first)
        slot_id = _occupy_slot(state, limits, tokens[first], now + lease_s * 1e6)
        circuit.probe = (slot_id, now + lease_s * 1e6)
        wait_s = PROBE_POLL_S if first + 1 < len(tokens) else 0.0
        return replace(result, slot_ids=(slot_id,), wait_s=wait_s, first=first)

    def _state(self, model: str) -> _State:
        """Return the model's state, with everything that has expired removed."""
        now = self._now()
        state = self._states.setdefault(model, _State(MemoryCircuit(self.rules)))
        state.slots = {slot_id: expiry for slot_id, expiry in state.slots.items() if expiry > now}
        state.request_tat, state.token_tat = max(state.request_tat, now), max(state.token_tat, now)
        state.circuit.rules = self.rules
        state.circuit.expire(now)
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
