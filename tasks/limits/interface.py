"""The values and the interface of the rate limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

#: Share of the allowed rate that is used. Network delays bunch calls together on their way, and a provider
#: counts what arrives, not what was sent: aiming at 100 % would turn each such bunch into 429s.
HEADROOM = 0.97
#: An idle bucket saves up this many seconds' worth: enough to bridge the time between two asks, and too
#: little to fill a provider's window beyond its limit (0.97 of a minute plus half a second's worth).
BURST_S = 0.5
#: When to ask again while all slots are taken: nobody can tell when a call ends.
SLOT_POLL_S = 0.05
#: For how long rests in a row are remembered after the last one.
OPERATOR_HOLD_MEMORY_S = 600.0
#: When to ask again while the probe of a half-open circuit is under way.
PROBE_POLL_S = 0.25


@dataclass(frozen=True, slots=True)
class Limits:
    """What a provider allows for a model: per minute, and calls in flight at once; None is unlimited."""

    rpm: int | None = None
    tpm: int | None = None
    max_concurrency: int | None = None

    def __post_init__(self) -> None:
        """Refuse limits that would never let a call through."""
        for name in ("rpm", "tpm", "max_concurrency"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ValueError(f"{name} must be positive, not {value}")

    @property
    def request_interval_us(self) -> float:
        """Microseconds between two requests; 0 is unlimited."""
        return _interval_us(self.rpm)

    @property
    def request_burst_us(self) -> float:
        """How far ahead of its schedule the model's next request may be."""
        # The request that fills the burst counts too, so a burst of one request tolerates nothing.
        return max(0.0, BURST_S * 1e6 - self.request_interval_us)

    @property
    def token_interval_us(self) -> float:
        """Microseconds between two tokens; 0 is unlimited."""
        return _interval_us(self.tpm)


@dataclass(frozen=True, slots=True)
class BreakerRules:
    """When a model's circuit opens, and for how long.

    It opens when, within `window_s`, at least `min_calls` ended and at least `failure_rate` of them failed by
    the provider's fault. After `open_s` one call probes it: a success closes it, a failure opens it for twice
    as long as before, at most `open_cap_s`. Once it has not closed for `give_up_s`, a probe that fails is the
    last that anybody waits for.
    """

    window_s: float = 30.0
    min_calls: int = 20
    failure_rate: float = 0.5
    open_s: float = 15.0
    open_cap_s: float = 240.0
    give_up_s: float = 86_400.0
    #: rests (see `Limiter.pause`) in a row that people are waited for, before it counts as an open circuit
    max_operator_holds: int = 20


class Circuit(Enum):
    """A model's circuit: closed lets calls through, open none, half-open one, the probe.

    Resting is half-open after a refusal that people can mend: requests wait for them. Lost is open once
    more after it did not close for so long that requests wait no more.
    """

    CLOSED = 0
    OPEN = 1
    HALF_OPEN = 2
    ON_HOLD = 3
    ABANDONED = 4

    @property
    def is_broken(self) -> bool:
        """Whether others should answer in this model's place."""
        return self in (Circuit.OPEN, Circuit.HALF_OPEN, Circuit.ABANDONED)


@dataclass(frozen=True, slots=True)
class CircuitTransition:
    """A circuit that has just opened, for `open_s`, since `failures` of `calls` failed; or closed (all 0)."""

    open_s: float = 0.0
    failures: int = 0
    calls: int = 0


@dataclass(frozen=True, slots=True)
class Grant:
    """The permits of one ask: the calls at the front of it that may start now.

    `slot_ids` holds one id per permit, to be released when its call ends; `wait_s` says when the next permit
    may be had (0 when all were granted). Unless the `circuit` is closed, the one permit is the probe's.
    """

    slot_ids: tuple[str, ...]
    wait_s: float
    circuit: Circuit = Circuit.CLOSED


class Limiter(Protocol):
    """Hands out permits to call a model, and none while its circuit is open."""

    rules: BreakerRules

    async def acquire(self, model: str, limits: Limits, costs: Sequence[int], *, lease_s: float) -> Grant:
        """Ask for a permit per entry of `costs` (tokens, estimated) and get as many as fit, from the front.

        Never waits. A slot that is not released is free again `lease_s` later (its holder crashed), so
        `lease_s` must exceed the time that a call can take.
        """
        ...

    async def release(
        self, model: str, slot_ids: Sequence[str], *, healthy: bool | None = None
    ) -> CircuitTransition | None:
        """Give back the slots of calls that ended; unknown and repeated ids do nothing.

        healthy: what each of these calls says about the provider: True, False, or None where they say nothing
        (they were not made, or the refusal was the request's fault). Returns what that did to the circuit.
        """
        ...

    async def not_closed(self, models: Sequence[str]) -> set[str]:
        """Return those of the models whose circuits are not closed."""
        ...

    async def settle_tokens(self, model: str, limits: Limits, delta: int) -> None:
        """Correct the estimates once the usage is known: `delta` is tokens used minus tokens asked for."""
        ...

    async def pause(self, model: str, seconds: float, *, operator_hold: bool = False) -> None:
        """Grant nothing on the model for that long, to any worker; a longer pause stays as it is.

        rest: until somebody has mended something. One call at a time then probes whether it was.
        """
        ...


def _interval_us(per_minute: int | None) -> float:
    return 60e6 / (per_minute * HEADROOM) if per_minute else 0.0
