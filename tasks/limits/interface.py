"""The interface of the rate limiters, and its values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, Protocol

from tasks.limits.rates import Limits

#: When to try again while all slots are taken: the end of a call cannot be predicted.
SLOT_POLL_S = 0.05
#: How long a series of operator holds is remembered after the last one, and how long a refusal is.
OPERATOR_HOLD_MEMORY_S = 600.0
#: How many different requests must be refused for their key, credit or permission before the model is on
#: hold: one for what holds for every request (a key, a credit), two for what may be one prompt's, and more
#: while other requests are answered.
REFUSALS, REFUSALS_OF_PROMPTS, REFUSALS_WHILE_ANSWERING = 1, 2, 5
#: While fewer batches than this have failures, another one may probe the model at once.
CROWD = 3
#: How long other workers may offer a better probe before a request that was sent before becomes one: longer
#: than the time in which each worker asks again.
PROBE_GRACE_S = 2.0
#: The most requests and batches that are remembered for each model.
MAX_REMEMBERED = 10_000
#: When to try again while the probe of a half-open circuit is in flight.
PROBE_POLL_S = 0.25


@dataclass(frozen=True, slots=True)
class BreakerRules:
    """The rules of a model's circuit breaker.

    The circuit opens when at least `min_calls` ended within `window_s`, and at least the share `failure_rate`
    of them failed by the provider's fault. After `open_s` a single call, the probe, is allowed. Its success
    closes the circuit; its failure opens it for twice as long as before, at most for `open_cap_s`. When the
    circuit opens again more than `give_up_s` after it first opened, requests no longer wait for the model.
    """

    window_s: float = 30.0
    min_calls: int = 20
    failure_rate: float = 0.5
    open_s: float = 15.0
    open_cap_s: float = 240.0
    give_up_s: float = 86_400.0
    #: the operator holds in a row (see `Limiter.pause`) that requests wait for; any more count as half-open
    max_operator_holds: int = 20


class Circuit(Enum):
    """The state of a model's circuit breaker.

    Closed allows all calls, open allows none, half-open allows one, the probe. On hold is half-open after an
    error that only the operator can fix: requests wait for the fix. Abandoned is open after `give_up_s`
    without a success: requests no longer wait.
    """

    CLOSED = 0
    OPEN = 1
    HALF_OPEN = 2
    ON_HOLD = 3
    ABANDONED = 4

    @property
    def is_broken(self) -> bool:
        """Whether other models should answer instead of this one."""
        return self in (Circuit.OPEN, Circuit.HALF_OPEN, Circuit.ABANDONED)


@dataclass(frozen=True, slots=True)
class CircuitTransition:
    """A circuit's change: it opened for `open_s` since `failures` of `calls` failed, or closed (all 0)."""

    open_s: float = 0.0
    failures: int = 0
    calls: int = 0


class Origin(NamedTuple):
    """Whose call it is: a fault of one request, or of one batch, must not be laid on the model.

    Attributes:
        request: What is the same for equal requests; empty if unknown.
        batch: The batch; empty if unknown.
        is_fresh: Whether the request has never been sent to this model.
    """

    request: str = ""
    batch: str = ""
    is_fresh: bool = True


UNKNOWN = Origin()


class Refusal(Enum):
    """Whose fault the refusal of a request for its key, credit or permission is."""

    UNDECIDED = 0
    #: the model's: it is on hold
    OF_MODEL = 1
    #: the request's: others were answered meanwhile
    OF_REQUEST = 2


@dataclass(frozen=True, slots=True)
class Grant:
    """The result of one `acquire`: permits for consecutive calls of it.

    Attributes:
        slot_ids: One id per permit, to be released when the call ends.
        wait_s: The seconds until the next permit may be available; 0 if all were granted.
        circuit: The state of the circuit. Unless it is closed, at most one permit, for the probe, is granted.
        first: The position of the call that got the first permit: that of the probe, else 0.
        involved: For each call, whether its batch has a part in the failures; empty if the circuit is closed.
    """

    slot_ids: tuple[str, ...]
    wait_s: float
    circuit: Circuit = Circuit.CLOSED
    first: int = 0
    involved: tuple[bool, ...] = ()


class Limiter(Protocol):
    """A rate limiter and circuit breaker that grants permits to call a model."""

    rules: BreakerRules

    async def acquire(
        self,
        model: str,
        limits: Limits,
        tokens: Sequence[int],
        *,
        lease_s: float,
        origins: Sequence[Origin] = (),
    ) -> Grant:
        """Acquire permits for the first calls, as many as the limits allow now; never waits.

        Unless the circuit is closed, one call at most gets a permit, the probe. While the circuit rests, it
        is one of a batch that has no part in the failures; after that, of any batch, but of a request that is
        not fresh only if no worker offers a fresh one for PROBE_GRACE_S.

        Args:
            model: The model to call.
            limits: The model's limits.
            tokens: The estimated tokens of each call, in the order in which they should start.
            lease_s: The seconds after which a slot that was neither released nor renewed is free again: its
                holder died.
            origins: Whose call each is; without them, unknown.
        """
        ...

    async def release(
        self,
        model: str,
        slot_ids: Sequence[str],
        *,
        healthy: bool | None = None,
        origins: Sequence[Origin] = (),
    ) -> CircuitTransition | None:
        """Release the slots of calls that ended; unknown and repeated ids are ignored.

        Args:
            model: The model that was called.
            slot_ids: The ids of the slots.
            healthy: The health of the provider as shown by each of these calls; None if they do not show it
                (they were not made, or the request caused the error).
            origins: Whose call each was; without them, unknown. The failures of equal requests count once in
                the breaker's window, and those of a batch not at all after another batch has closed the
                circuit that they had opened.

        Returns:
            The change of the circuit; None if it did not change.
        """
        ...

    async def renew(self, model: str, slot_ids: Sequence[str], *, lease_s: float) -> None:
        """Renew the leases of slots whose calls go on; one that has expired counts again.

        A slot that was released meanwhile counts again, too: release it once more.

        Args:
            model: The model that is called.
            slot_ids: The ids of the slots.
            lease_s: The seconds from now after which they expire.
        """
        ...

    async def not_closed(self, models: Sequence[str]) -> set[str]:
        """Return the models whose circuits are not closed."""
        ...

    async def correct_tokens(self, model: str, limits: Limits, delta: int) -> None:
        """Correct the token rate once the usage is known; `delta` is the tokens used minus the estimate."""
        ...

    async def pause(self, model: str, seconds: float) -> None:
        """Pause a model for all workers; a pause that lasts longer already is not shortened."""
        ...

    async def refuse(
        self, model: str, seconds: float, *, origin: Origin = UNKNOWN, enough: int = REFUSALS
    ) -> Refusal:
        """Judge the refusal of a request for its key, credit or permission.

        If it is the model's fault, the model is put on hold: it is paused, and then called by one request at
        a time, the probe, until one succeeds.

        Args:
            model: The model that refused.
            seconds: The length of the pause.
            origin: Whose call it was.
            enough: How many different requests show a fault of the model; while others are answered,
                REFUSALS_WHILE_ANSWERING.
        """
        ...
