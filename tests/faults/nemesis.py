"""The nemesis: runs one fault against a batch in a world and counts what became of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from random import Random

from tests.faults.fault_environment import IN_FLIGHT, KEY, PROMPT, STANDING, FaultEnvironment
from tests.faults.tally import Provider, Tally, tally
from tests.support.invariants import StoreInvariants, check_batch
from tests.support.redis_monitor import redis_contents
from tests.support.secrets import leaks

BOTH = ("sqlite", "postgresql")
#: requests of a batch; one in ten asks what another has asked
REQUESTS = 120

Act = Callable[[FaultEnvironment], Iterator[None]]
Items = Callable[[FaultEnvironment], list[object]]


def plain(world: FaultEnvironment, requests: int = REQUESTS) -> list[object]:
    """Requests for two named models and for the router, with some duplicates."""
    run = f"{world.random.getrandbits(32):08x}"
    models = (
        {"model": "sim-nano"},
        {"model": "sim-coder"},
        {} if "route" in world.standing else {"model": "sim-large"},
    )
    distinct = [{"prompt": f"{PROMPT} {run}: say {n}", **models[n % 3]} for n in range(requests * 9 // 10)]
    repeated = world.random.sample(distinct, requests - len(distinct))
    return [{**item, "id": f"r{n}"} for n, item in enumerate([*distinct, *repeated])]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault.

    act: a generator. Up to its first `yield` it prepares, then the batch is submitted; up to the second it
    does the harm and ends it; the rest cleans up after the batch has ended.
    number: of the fault in the list that docs/faults.md follows. crashes: how many processes die (or are
    given up) with calls in flight; each may have up to IN_FLIGHT calls paid twice. resent: calls that may be
    repeated although billed, because their answers were spoilt. ends: outcomes by status; None: all succeed.
    """

    name: str
    number: int
    act: Act
    variant: str = ""
    items: Items = plain
    budget: int | None = 2_000_000
    crashes: int = 0
    resent: int = 0
    ends: Callable[[StoreInvariants], bool] | None = None
    stores: tuple[str, ...] = BOTH
    #: who runs, and with what in their environment
    standing: tuple[str, ...] = STANDING
    environment: Mapping[str, str] = field(default_factory=dict)
    #: the stores on which it belongs to the short set
    quick: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        return f"{self.name}, {self.variant}" if self.variant else self.name

    @property
    def short(self) -> Fault:
        """The same with fewer workers, which take a while to start."""
        return replace(self, standing=("upkeep", "dispatch", *(["dispatch"] if self.environment else [])))

    @property
    def bound(self) -> int:
        """Paid calls beyond one per prompt that the promise allows."""
        return self.crashes * IN_FLIGHT + self.resent


@dataclass(frozen=True)
class Verdict:
    """What became of the batch, and how long it took from the end of the fault to the batch's."""

    tally: Tally
    recovery_s: float
    problems: Mapping[str, object] = field(default_factory=dict)


def run(fault: Fault, world: FaultEnvironment, *, seed: int) -> Verdict:
    """Let the fault befall a batch."""
    world.random = Random(f"{seed} {fault.id} {world.kind}")
    world.mend(fault.standing, fault.environment)
    steps = fault.act(world)
    next(steps)
    seen = len(world.tap.seen)
    world.batch_id = world.stack.submit(fault.items(world), budget=fault.budget, group_size=8, chunk_size=16)
    try:
        next(steps, None)
        ended = time.monotonic()
        world.until_finished()
        recovery_s = time.monotonic() - ended
    finally:
        for _ in steps:
            pass
    _settle_down(world)
    return _judge(fault, world, seen, recovery_s)


def _settle_down(world: FaultEnvironment) -> None:
    """Wait until no call is under way at the provider: a frozen worker's may come late."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if not any(model["in_flight"] for model in world.provider.stats()["models"].values()):
            return
        time.sleep(0.05)


def _judge(fault: Fault, world: FaultEnvironment, seen: int, recovery_s: float) -> Verdict:
    places = {"events": b"\n".join(world.tap.seen[seen:]), **redis_contents(world.stack.redis)}
    found = leaks({**places, **world.stack.logs()}, [PROMPT, KEY])
    client = world.provider
    books = Provider(client.stats(), client.billed(), client.replies())
    counted = tally(world.stack.store, world.batch_id, books, peak=world.peak, leaked=len(found))
    problems: dict[str, object] = dict(counted.broken)
    if found:
        problems["found"] = sorted({place for place, _ in found})
    # On a busy machine a call may time out without any fault of ours; it is asked for again, and charged.
    if counted.paid_again > fault.bound + counted.timed_out:
        problems["paid_again"] = f"{counted.paid_again} > {fault.bound} + {counted.timed_out}"
    if counted.paid_again > counted.unknown + counted.charged:
        problems["paid_again"] = f"{counted.paid_again} and not all of it on the ledger"
    if counted.unknown > fault.crashes * IN_FLIGHT:
        problems["unknown"] = f"{counted.unknown} > {fault.crashes * IN_FLIGHT}"
    problems |= _batch_problems(fault, world)
    return Verdict(counted, recovery_s, problems)


def _batch_problems(fault: Fault, world: FaultEnvironment) -> dict[str, object]:
    """The checks that any batch must pass, and the outcomes that this fault must lead to."""
    try:
        books = check_batch(world.stack.store, world.batch_id)
    except AssertionError as error:
        return {"books": str(error)[:500]}
    expected = fault.ends(books) if fault.ends else books.outcomes == {"succeeded": books.row["total"]}
    return {} if expected else {"outcomes": books.outcomes}
