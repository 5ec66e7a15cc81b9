"""One model's circuit breaker in memory; the rules are those of release.lua and refuse.lua."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tasks.limits.interface import (
    CROWD,
    MAX_REMEMBERED,
    OPERATOR_HOLD_MEMORY_S,
    PROBE_GRACE_S,
    REFUSALS_WHILE_ANSWERING,
    BreakerRules,
    Circuit,
    CircuitTransition,
    Origin,
    Refusal,
)

_HOLD_MEMORY_US = OPERATOR_HOLD_MEMORY_S * 1e6


@dataclass(slots=True)
class MemoryCircuit:
    """The state of a circuit; times are in microseconds by the limiter's clock."""

    rules: BreakerRules
    paused_until: float = 0.0
    open_until: float = 0.0
    #: how often it opened in a row; negative for operator holds
    trips: int = 0
    trips_until: float = 0.0
    opened_at: float | None = None
    #: (slot id, time at which it expires)
    probe: tuple[str, float] | None = None
    #: until then, no request that was sent before becomes the probe
    grace_until: float = 0.0
    #: (time, healthy) of the calls that ended within the window
    ended: list[tuple[float, bool]] = field(default_factory=list)
    #: batch -> time of its latest failure
    failing: dict[str, float] = field(default_factory=dict)
    #: request -> time of the failure that counted
    failed: dict[str, float] = field(default_factory=dict)
    #: batch -> time since which its failures do not count
    discounted: dict[str, float] = field(default_factory=dict)
    answered_at: float | None = None
    #: request -> time of its latest refusal
    refused: dict[str, float] = field(default_factory=dict)

    def expire(self, now: float) -> None:
        """Remove what has expired."""
        if self.probe is not None and self.probe[1] <= now:
            self.probe = None
        if self.trips_until <= now:
            self.trips, self.opened_at = 0, None
        if not self.trips:
            _forget(self.failing, now - self.rules.window_s * 1e6)
        _forget(self.failed, now - self.rules.window_s * 1e6)
        _forget(self.discounted, now - self.rules.open_cap_s * 1e6)
        _forget(self.refused, now - _HOLD_MEMORY_US)

    def at(self, now: float) -> Circuit:
        """Return the circuit's state."""
        if self.open_until > now:
            is_abandoned = self.opened_at is not None and now - self.opened_at > self.rules.give_up_s * 1e6
            return Circuit.ABANDONED if is_abandoned else Circuit.OPEN
        if not self.trips:
            return Circuit.CLOSED
        is_broken = self.trips > 0 or -self.trips > self.rules.max_operator_holds
        return Circuit.HALF_OPEN if is_broken else Circuit.ON_HOLD

    def involved(self, origins: Sequence[Origin]) -> tuple[bool, ...]:
        """Return for each call whether its batch has a part in the failures."""
        is_crowd = len(self.failing) >= CROWD
        return tuple(is_crowd or not one.batch or one.batch in self.failing for one in origins)

    def probe_among(self, origins: Sequence[Origin], now: float) -> int | None:
        """Return the position of the call that may be the probe."""
        fresh = [i for i, origin in enumerate(origins) if origin.is_fresh]
        involved = self.involved(origins)
        others = [i for i in fresh if not involved[i]]
        if others or max(self.open_until, self.paused_until) > now:
            return next(iter(others), None)
        return next(iter(fresh), 0 if origins and self.grace_until <= now else None)

    def end(
        self, now: float, origins: Sequence[Origin], *, healthy: bool, is_probe: bool
    ) -> CircuitTransition | None:
        """Count calls that ended; returns the change of the circuit."""
        if healthy:
            self.answered_at = now
            for origin in origins:
                self.discounted.pop(origin.batch, None)
        if self.trips:
            return self._end_while_broken(now, origins, healthy=healthy, is_probe=is_probe)
        counted = len(origins) if healthy else sum(self._counts(origin, now) for origin in origins)
        return self._record(now, healthy, counted) if counted else None

    def refuse(self, now: float, pause_us: float, origin: Origin, enough: int) -> Refusal:
        """Judge a refusal; see `Limiter.refuse`."""
        previous = self.refused.get(origin.request)
        if previous is not None and self.answered_at is not None and self.answered_at > previous:
            del self.refused[origin.request]
            return Refusal.OF_REQUEST
        if origin.batch in self.discounted:
            _remember(self.refused, origin.request, now)
            return Refusal.UNDECIDED
        _remember(self.refused, origin.request or f"{now:.0f}", now)
        _remember(self.failing, origin.batch, now)
        if self.trips < 0 and self.paused_until > now:
            return Refusal.OF_MODEL
        return self._hold(now, pause_us) if self._is_enough(now, enough) else Refusal.UNDECIDED

    def _is_enough(self, now: float, enough: int) -> bool:
        answered = self.answered_at or 0.0
        is_answering = self.answered_at is not None and now - answered < self.rules.window_s * 1e6
        needed = max(enough, REFUSALS_WHILE_ANSWERING) if is_answering else enough
        return self.trips < 0 or sum(at > answered for at in self.refused.values()) >= needed

    def _hold(self, now: float, pause_us: float) -> Refusal:
        if self.trips <= 0:
            self.trips, self.trips_until = self.trips - 1, now + pause_us + _HOLD_MEMORY_US
        self.grace_until = now + pause_us + PROBE_GRACE_S * 1e6
        self.paused_until = max(self.paused_until, now + pause_us)
        return Refusal.OF_MODEL

    def _counts(self, origin: Origin, now: float) -> bool:
        """Note a failed call; returns whether its failure counts."""
        if origin.batch in self.discounted:
            return False
        _remember(self.failing, origin.batch, now)
        if origin.request in self.failed:
            return False
        _remember(self.failed, origin.request, now)
        return True

    def _end_while_broken(
        self, now: float, origins: Sequence[Origin], *, healthy: bool, is_probe: bool
    ) -> CircuitTransition | None:
        if healthy:
            return self._close(now, origins) if is_probe else None
        for origin in origins:
            _remember(self.failing, origin.batch, now)
        if not is_probe or self.open_until > now:
            return None
        return self._open(now, max(self.trips, 0) + 1, 1, 1)

    def _close(self, now: float, origins: Sequence[Origin]) -> CircuitTransition:
        for batch in self.failing.keys() - {origin.batch for origin in origins}:
            _remember(self.discounted, batch, now)
        if self.trips < 0:
            self.paused_until = 0.0
        self.trips, self.opened_at, self.open_until, self.grace_until = 0, None, 0.0, 0.0
        self.ended, self.failing = [], {}
        return CircuitTransition()

    def _record(self, now: float, healthy: bool, calls_ended: int) -> CircuitTransition | None:
        """Add the calls to the window, and open the circuit if too many of its calls failed."""
        window_start = now - self.rules.window_s * 1e6
        recent = [one for one in self.ended if one[0] > window_start]
        self.ended = [*recent, *[(now, healthy)] * calls_ended]
        calls, failures = len(self.ended), sum(not was_healthy for _, was_healthy in self.ended)
        if healthy or calls < self.rules.min_calls or failures < self.rules.failure_rate * calls:
            return None
        return self._open(now, 1, failures, calls)

    def _open(self, now: float, trips: int, failures: int, calls: int) -> CircuitTransition:
        open_s = min(self.rules.open_cap_s, self.rules.open_s * 2.0 ** min(trips - 1, 31))
        self.open_until = now + open_s * 1e6
        self.opened_at = now if self.opened_at is None else self.opened_at
        self.trips, self.trips_until = trips, self.open_until + 2e6 * self.rules.open_cap_s
        self.grace_until = self.open_until + min(PROBE_GRACE_S, self.rules.open_cap_s) * 1e6
        self.ended = []
        return CircuitTransition(open_s, failures, calls)


def _remember(times: dict[str, float], name: str, now: float) -> None:
    """Set the time of a request or batch, unless it is unknown; the oldest beyond MAX_REMEMBERED goes."""
    if name:
        times.pop(name, None)
        times[name] = now
        if len(times) > MAX_REMEMBERED:
            del times[next(iter(times))]


def _forget(times: dict[str, float], before: float) -> None:
    for name in [name for name, at in times.items() if at <= before]:
        del times[name]
