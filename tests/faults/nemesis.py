"""The nemesis, as Jepsen calls it: injects a fault while a batch runs, and checks the batch."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from random import Random

from tests.faults.fault_environment import DEFAULT_ROLES, IN_FLIGHT, KEY, PROMPT, FaultEnvironment
from tests.faults.tally import ProviderRecords, Tally, tally
from tests.support.invariants import BatchTotals, check_batch
from tests.support.redis_monitor import redis_contents
from tests.support.secrets import leaks

BOTH = ("sqlite", "postgresql")
#: requests of a batch; one in ten repeats another
REQUESTS = 120

Injection = Callable[[FaultEnvironment], Iterator[None]]
Items = Callable[[FaultEnvironment], list[object]]


def plain(environment: FaultEnvironment, requests: int = REQUESTS) -> list[object]:
    """Return requests for two named models and for the router, with some duplicates."""
    run = f"{environment.random.getrandbits(32):08x}"
    models = (
        {"model": "sim-nano"},
        {"model": "sim-coder"},
        {} if "route" in environment.roles else {"model": "sim-large"},
    )
    distinct = [{"prompt": f"{PROMPT} {run}: say {n}", **models[n % 3]} for n in range(requests * 9 // 10)]
    repeated = environment.random.sample(distinct, requests - len(distinct))
    return [{**item, "id": f"r{n}"} for n, item in enumerate([*distinct, *repeated])]


def no_injection(environment: FaultEnvironment) -> Iterator[None]:
    """Do nothing: the requests themselves, or the workers' environment variables, cause the fault."""
    yield
    yield


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault.

    Attributes:
        name: The fault, as docs/faults.md names it.
        number: Its number in the list of docs/faults.md.
        inject: A generator. Up to its first `yield` it prepares; then the batch is submitted. Up to the next
            it injects the fault and ends it. The rest cleans up after the batch has ended.
        variant: Which of several faults of the same name.
        items: The batch's requests.
        budget: The batch's budget in micro-dollars.
        crashes: How many processes die, or lose their lease, with calls in flight. Each may have up to
            IN_FLIGHT calls paid twice.
        resent: How many calls may be repeated although billed, because their answers were unusable.
        accepts: Whether the outcomes are as they should be; None: all requests must succeed.
        stores: The databases on which it runs.
        roles: The workers that run.
        variables: Environment variables of these workers.
        quick: The databases on which it is part of the short set.
    """

    name: str
    number: int
    inject: Injection
    variant: str = ""
    items: Items = plain
    budget: int | None = 2_000_000
    crashes: int = 0
    resent: int = 0
    accepts: Callable[[BatchTotals], bool] | None = None
    stores: tuple[str, ...] = BOTH
    roles: tuple[str, ...] = DEFAULT_ROLES
    variables: Mapping[str, str] = field(default_factory=dict)
    quick: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        return f"{self.name}, {self.variant}" if self.variant else self.name

    @property
    def short(self) -> Fault:
        """The same fault with fewer workers, which start sooner."""
        return replace(self, roles=("upkeep", "dispatch", *(["dispatch"] if self.variables else [])))

    @property
    def bound(self) -> int:
        """The number of paid calls beyond one per prompt that docs/faults.md allows."""
        return self.crashes * IN_FLIGHT + self.resent


@dataclass(frozen=True)
class FaultResult:
    """The result of one run; `recovery_s` is the time from the end of the fault to the end of the batch."""

    tally: Tally
    recovery_s: float
    problems: Mapping[str, object] = field(default_factory=dict)


def run(fault: Fault, environment: FaultEnvironment, *, seed: int) -> FaultResult:
    """Run a batch, inject the fault, and check the batch."""
    environment.random = Random(f"{seed} {fault.id} {environment.kind}")
    environment.restore(fault.roles, fault.variables)
    steps = fault.inject(environment)
    next(steps)
    seen = len(environment.monitor.seen)
    items = fault.items(environment)
    environment.batch_id = environment.stack.submit(items, budget=fault.budget, group_size=8, chunk_size=16)
    try:
        next(steps, None)
        ended = time.monotonic()
        environment.until_finished()
        recovery_s = time.monotonic() - ended
    finally:
        for _ in steps:
            pass
    _await_idle_provider(environment)
    return _evaluate(fault, environment, seen, recovery_s)


def _await_idle_provider(environment: FaultEnvironment) -> None:
    """Wait until no call is under way at the provider: those of a stopped worker may come late."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if not any(model["in_flight"] for model in environment.provider.stats()["models"].values()):
            return
        time.sleep(0.05)


def _evaluate(fault: Fault, environment: FaultEnvironment, seen: int, recovery_s: float) -> FaultResult:
    events = b"\n".join(environment.monitor.seen[seen:])
    places = {"events": events, **redis_contents(environment.stack.redis), **environment.stack.logs()}
    found = leaks(places, [PROMPT, KEY])
    client = environment.provider
    records = ProviderRecords(client.stats(), client.billed(), client.replies())
    store, batch_id = environment.stack.store, environment.batch_id
    counted = tally(store, batch_id, records, peak=environment.peak, leaked=len(found))
    problems: dict[str, object] = {**counted.broken, **_cost_problems(fault, counted)}
    if found:
        problems["found"] = sorted({place for place, _ in found})
    problems |= _batch_problems(fault, environment)
    return FaultResult(counted, recovery_s, problems)


def _cost_problems(fault: Fault, counted: Tally) -> dict[str, object]:
    """Return what the batch paid for beyond the fault's bound, and what of it is not on the ledger."""
    problems: dict[str, object] = {}
    # On a busy machine a call may time out without any fault of ours; it is made again, and charged.
    if counted.paid_again > fault.bound + counted.timed_out:
        problems["paid_again"] = f"{counted.paid_again} > {fault.bound} + {counted.timed_out}"
    if counted.paid_again > counted.unknown + counted.charged:
        problems["paid_again"] = f"{counted.paid_again} and not all of it on the ledger"
    if counted.unknown > fault.crashes * IN_FLIGHT:
        problems["unknown"] = f"{counted.unknown} > {fault.crashes * IN_FLIGHT}"
    return problems


def _batch_problems(fault: Fault, environment: FaultEnvironment) -> dict[str, object]:
    """Return which invariant of every batch does not hold, or the outcomes that this fault must not have."""
    try:
        totals = check_batch(environment.stack.store, environment.batch_id)
    except AssertionError as error:
        return {"batch": str(error)[:500]}
    all_succeeded = totals.outcomes == {"succeeded": totals.row["total"]}
    accepted = fault.accepts(totals) if fault.accepts else all_succeeded
    return {} if accepted else {"outcomes": totals.outcomes}
