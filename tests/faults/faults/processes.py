"""Faults of worker processes: they die, are stopped, or are asked to end."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress

from tests.faults.fault_environment import LEASE_S, MAX_CONCURRENCY, PROMPT, FaultEnvironment
from tests.faults.hooks import POISON
from tests.faults.nemesis import REQUESTS, Fault, Injection, Items, no_injection, plain
from tests.support.invariants import BatchTotals

#: failpoints, and the last pass at which one may fail: of a small batch a worker may get only eight requests
_PLACES = {
    "after_claim": 1,
    "after_reserve": 1,
    "before_send": 6,
    "after_response": 6,
    "after_settle": 1,
    "before_ack": 1,
}
_MAX_LOSSES = 3
#: when the slots of a dead worker must be free again
_FREE_AGAIN_S = LEASE_S + 5.0


def dies_at(place: str, how: str) -> Injection:
    """A dispatch worker that dies at a failpoint, one of the first times it gets there.

    The others sleep until then: they would do its work.
    """

    def inject(environment: FaultEnvironment) -> Iterator[None]:
        nth = environment.random.randint(1, _PLACES[place])
        others = environment.running("dispatch")
        worker, latch = environment.start_with_failpoint("dispatch", f"{place}:{how}:{nth}")
        with environment.stack.store.write():  # so that none of them is in the middle of a transaction
            for other in others:
                other.signal(signal.SIGSTOP)
        yield
        environment.until(latch.exists)
        for other in others:
            other.signal(signal.SIGCONT)
        yield
        environment.stop(worker)
        if how == "parent":
            end_orphans(worker.process.pid)

    return inject


def end_orphans(group: int) -> None:
    """Kill the pool processes of a parent that died."""
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def route_dies(environment: FaultEnvironment) -> Iterator[None]:
    """The route worker's group dies with a chunk claimed."""
    environment.stop(*environment.running("route"))
    nth = environment.random.randint(1, 2)
    _, latch = environment.start_with_failpoint("route", f"after_claim:group:{nth}")
    yield
    environment.until(latch.exists)
    yield


def loses_message(environment: FaultEnvironment) -> Iterator[None]:
    """A worker dies between BRPOP and the note that it has the message: kombu's own gap."""
    latch = environment.stack.home / f"lost-{len(environment.stack.workers)}"
    # The only one at first, so that it gets a message for certain.
    environment.stop(*environment.running("dispatch"))
    [worker] = environment.start("dispatch", variables={"TEST_LOSE_MESSAGE": str(latch)})
    yield
    environment.until(latch.exists)
    yield
    environment.stop(worker)


def dies_with_all_slots(environment: FaultEnvironment) -> Iterator[None]:
    """SIGKILL of a dispatch worker whose calls hold all slots of a model: another calls it after the lease.

    The other one sleeps meanwhile, so that no slot is its own.
    """
    worker, other = environment.running("dispatch")
    other.signal(signal.SIGSTOP)
    environment.provider.behave("sim-nano", latency_ms=9000)
    yield
    environment.until(lambda: _in_flight(environment, "sim-nano") == MAX_CONCURRENCY)
    environment.stop(worker)
    other.signal(signal.SIGCONT)
    died = time.monotonic()
    environment.provider.behave("sim-nano", latency_ms=250)
    made = _received(environment, "sim-nano")
    environment.until(lambda: _received(environment, "sim-nano") > made, timeout_s=_FREE_AGAIN_S)
    print(f"sim-nano is called again after {time.monotonic() - died:.1f} s")
    yield


def _in_flight(environment: FaultEnvironment, model: str) -> int:
    return int(environment.provider.stats()["models"].get(model, {}).get("in_flight", 0))


def _received(environment: FaultEnvironment, model: str) -> int:
    return int(environment.provider.stats()["models"][model]["received"])


def stops_past_its_lease(environment: FaultEnvironment) -> Iterator[None]:
    """SIGSTOP past the lease with calls in flight, then CONT: its answers come too late."""
    stopped = environment.running("dispatch")[0]
    yield
    environment.stack.freeze_at_work(stopped, environment.stack.sent_by)
    environment.watch(2 * LEASE_S)
    stopped.signal(signal.SIGCONT)
    yield
    time.sleep(1.5)  # its calls were answered long ago: now it settles them


def outlives_visibility(environment: FaultEnvironment) -> Iterator[None]:
    """A task that takes longer than Redis' visibility timeout: its message is handed out again."""
    worker, latch = environment.start_with_failpoint("route", "after_claim:pause:1")
    yield
    environment.until(latch.exists)
    environment.watch(12.0)
    yield
    environment.stop(worker)


def terminates(environment: FaultEnvironment) -> Iterator[None]:
    """SIGTERM to a dispatch worker in mid-batch."""
    yield
    environment.until_begun()
    assert environment.running("dispatch")[0].terminate() == 0
    yield


def restarts_one_by_one(environment: FaultEnvironment) -> Iterator[None]:
    """Every worker is replaced, one after the other, as in an upgrade."""
    yield
    environment.until_begun(1)
    for role in ("upkeep", "route", "dispatch", "dispatch"):
        environment.running(role)[0].terminate()
        environment.restart_dead()
    yield


def quits_at_once(environment: FaultEnvironment) -> Iterator[None]:
    """SIGQUIT, Celery's cold shutdown."""
    yield
    environment.until_begun()
    worker = environment.running("dispatch")[0]
    worker.process.send_signal(signal.SIGQUIT)
    environment.until(lambda: worker.process.poll() is not None)
    yield
    end_orphans(worker.process.pid)


def with_poison(**named: str) -> Items:
    """Return requests of which one kills every process that reads it (see hooks.POISON)."""

    def items(environment: FaultEnvironment) -> list[object]:
        run = f"{environment.random.getrandbits(32):08x}"
        return [*plain(environment), {"prompt": f"{PROMPT} {run} {POISON}", "id": "poison", **named}]

    return items


def only_poison_dies(totals: BatchTotals) -> bool:
    return totals.outcomes == {"succeeded": REQUESTS, "failed": 1}


FAULTS = [
    Fault(name="nothing goes wrong", number=0, inject=no_injection),
    *(
        Fault(
            name=f"SIGKILL of a worker's {name}",
            number=1,
            inject=dies_at(place, how),
            variant=place,
            crashes=1,
            quick=("sqlite",) if (place, how) == ("after_reserve", "kill") else (),
        )
        for how, name in (("kill", "child"), ("parent", "parent"), ("group", "group"))
        for place in _PLACES
    ),
    Fault(name="SIGKILL of the route worker", number=1, inject=route_dies),
    Fault(name="SIGKILL with all slots taken", number=1, inject=dies_with_all_slots, crashes=1),
    Fault(name="exit between BRPOP and HSET", number=2, inject=loses_message, crashes=1),
    Fault(name="SIGSTOP past the lease, CONT", number=6, inject=stops_past_its_lease, crashes=1),
    Fault(
        name="task longer than visibility",
        number=6,
        inject=outlives_visibility,
        variables={"TEST_VISIBILITY_S": "3"},
    ),
    Fault(
        name="prompt that kills its process",
        variant="dispatch",
        number=11,
        inject=no_injection,
        items=with_poison(model="sim-nano"),
        crashes=_MAX_LOSSES,
        accepts=only_poison_dies,
    ),
    Fault(
        name="prompt that kills its process",
        variant="route",
        number=11,
        inject=no_injection,
        items=with_poison(),
        accepts=only_poison_dies,
    ),
    Fault(name="SIGTERM", number=16, inject=terminates),
    Fault(name="SIGQUIT", number=16, inject=quits_at_once, crashes=1),
    Fault(name="rolling restart", number=16, inject=restarts_one_by_one),
]
